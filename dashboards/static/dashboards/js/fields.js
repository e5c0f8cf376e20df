// Paints a frame over the values that the server drew. Text goes in as text, never as markup.

let words = null; // dashboards/words.py: the server put the same words, and wrote them into the page for us

function wordsOfPage() {
  return JSON.parse(document.getElementById("words").textContent);
}

/** Put `value` into words, exactly as dashboards/words.py does. */
export function inWords(kind, value, kinds) {
  const { shape, empty } = kinds[kind];
  if (value === null || value === undefined || value === "" || value === false) return empty;
  const text = String(value); // a moment on the wire is UTC: 2026-11-24T03:18:05.120Z
  const parts = typeof value === "object" ? value : { value: text, date: text.slice(0, 10), time: text.slice(11, 16) };
  return shape.replace(/\{(\w+)\}/g, (_, name) => parts[name]);
}

function place(frame, steps) {
  if (!frame.reached_rank) return "";
  const division = frame.reached_division ? ` ${steps[frame.reached_division - 1] ?? frame.reached_division}` : "";
  const marks = frame.reached_marks ? `, ${frame.reached_marks} mark${frame.reached_marks > 1 ? "s" : ""}` : "";
  return `${frame.reached_rank}${division}${marks}`;
}

const OWN = {
  status: (value) => value,
  place: (_, frame, steps) => place(frame, steps),
};
const SHAPES = {
  bar: (element, value) => element.setAttribute("value", value),
  width: (element, value) => element.setAttribute("width", `${value}%`),
  mark: (element, value) => element.setAttribute("cx", `${value}%`),
};

/** Paint `frame` into every `[data-field]` under `root`; mark what differs so that it lights up for a moment. */
export function paint(root, frame, steps = []) {
  words ??= wordsOfPage();
  const masked = new Set(frame.masked);
  for (const element of root.querySelectorAll("[data-field]")) {
    const { field, kind } = element.dataset;
    const value = frame[field];
    if (kind in SHAPES) {
      SHAPES[kind](element, value);
      continue;
    }
    const hidden = masked.has(field);
    const shown = hidden ? words.hidden : (OWN[kind]?.(value, frame, steps) ?? inWords(kind, value, words.kinds));
    if (kind === "status") element.dataset.status = value;
    element.toggleAttribute("data-hidden", hidden);
    if (element.textContent === shown) continue;
    element.textContent = shown;
    lightUp(element);
  }
}

function lightUp(element) {
  element.removeAttribute("data-fresh");
  void element.offsetWidth; // restarts the animation
  element.setAttribute("data-fresh", "");
}
