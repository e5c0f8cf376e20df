// Says how fresh the page is. Colour and words, so that neither is needed alone.

const element = document.getElementById("live");
const WORDS = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", ended: "Ended" };

/** Show a state of OrderSocket. */
export function indicate({ name, reason }) {
  if (!element) return;
  element.dataset.state = name;
  const words = reason ? `${WORDS[name]}: ${reason}` : WORDS[name];
  const text = element.querySelector(".live-text");
  if (text.textContent !== words) text.textContent = words;
}
