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
