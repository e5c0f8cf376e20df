// Paints a frame over the values that the server drew. Text goes in as text, never as markup.

const HIDDEN = "Not for your role"; // order_values.py has the same words and the same kinds

const pad = (number) => String(number).padStart(2, "0");

function moment(value) {
  if (!value) return "";
  const at = new Date(value);
  const day = `${at.getUTCFullYear()}-${pad(at.getUTCMonth() + 1)}-${pad(at.getUTCDate())}`;
  return `${day} ${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())} UTC`;
}

function place(frame, steps) {
  if (!frame.reached_rank) return "";
  const division = frame.reached_division ? ` ${steps[frame.reached_division - 1] ?? frame.reached_division}` : "";
  const marks = frame.reached_marks ? `, ${frame.reached_marks} mark${frame.reached_marks > 1 ? "s" : ""}` : "";
  return `${frame.reached_rank}${division}${marks}`;
}

const WORDS = {
  text: (value) => value ?? "",
  name: (value) => value || "nobody yet",
  note: (value) => value || "No note.",
  money: (value) => value ?? "–",
  percent: (value) => `${value} %`,
  status: (value) => value,
  time: moment,
  record: (value) => (value ? `${value.amount} · ${value.status}` : "none yet"),
  place: (_, frame, steps) => place(frame, steps),
};
const SHAPES = {
  bar: (element, value) => element.setAttribute("value", value),
  width: (element, value) => element.setAttribute("width", `${value}%`),
  mark: (element, value) => element.setAttribute("cx", `${value}%`),
};

/** Paint `frame` into every `[data-field]` under `root`; mark what differs so that it lights up for a moment. */
export function paint(root, frame, steps = []) {
  const masked = new Set(frame.masked);
  for (const element of root.querySelectorAll("[data-field]")) {
    const { field, kind } = element.dataset;
    const value = frame[field];
    if (kind in SHAPES) {
      SHAPES[kind](element, value);
      continue;
    }
    const hidden = masked.has(field);
    const words = hidden ? HIDDEN : String(WORDS[kind](value, frame, steps));
    if (kind === "status") element.dataset.status = value;
    element.toggleAttribute("data-hidden", hidden);
    if (element.textContent === words) continue;
    element.textContent = words;
    lightUp(element);
  }
}

function lightUp(element) {
  element.removeAttribute("data-fresh");
  void element.offsetWidth; // restarts the animation
  element.setAttribute("data-fresh", "");
}
