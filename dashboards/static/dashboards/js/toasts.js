// Short notices in the corner; the region is aria-live, so they are also spoken.

const SHOWN = 8000; // ms
const AT_MOST = 3;
const region = document.getElementById("toasts");
const timers = new WeakMap();

/** Show `title` and `words`; a newer notice about the same `topic` takes the place of the older. */
export function toast(topic, title, words) {
  let notice = [...region.children].find((child) => child.dataset.topic === topic);
  if (!notice) {
    notice = document.createElement("div");
    notice.className = "toast";
    notice.dataset.topic = topic;
    notice.append(document.createElement("strong"), document.createElement("span"));
    region.append(notice);
  }
  notice.children[0].textContent = title;
  notice.children[1].textContent = words;
  clearTimeout(timers.get(notice));
  timers.set(notice, setTimeout(() => notice.remove(), SHOWN));
  while (region.children.length > AT_MOST) region.firstElementChild.remove();
}

const LABELS = {
  actual_price: "price",
  booster_price: "payout",
  booster_username: "booster",
  client_username: "client",
  last_payment: "payment",
  last_payout: "payout made",
  reached_rank: "rank",
  reached_division: "division",
  reached_marks: "marks",
};
const SILENT = new Set(["message", "booster_id", "title"]);

/** Say what a viewer can see of a change, in a line. */
export function wordsFor({ frame, before, changed }) {
  const parts = [];
  if (changed.includes("message") && frame.message) parts.push(frame.message);
  if (changed.includes("actual_price")) parts.push(movement("Price", before?.actual_price, frame.actual_price));
  if (changed.includes("booster_price")) parts.push(movement("Payout", before?.booster_price, frame.booster_price));
  if (parts.length === 0) {
    const names = changed.filter((name) => !SILENT.has(name)).map((name) => LABELS[name] ?? name);
    if (names.length) parts.push(`New: ${names.join(", ")}`);
  }
  return parts.join(" ");
}

function movement(label, before, after) {
  return before ? `${label} ${before} → ${after}.` : `${label} ${after}.`;
}
