// Sends the forms that are marked with data-act by fetch. Without this script they are plain posts.

const OUT_OF_DATE = "This page is out of date. Reload it and send again; copy your text first.";
const NO_LINE = "The server cannot be reached. Nothing is lost: send it again when the line is back.";

/** Send marked forms under `root` in place; `done({frame, location})` runs after a success, `moved()` after a refusal
 * of what was decided about something that is not so any more. */
export function actInPlace(root, done, moved = () => {}) {
  root.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-act]") || event.submitter?.name === "step") return;
    event.preventDefault();
    if (form.dataset.sending) return;
    form.dataset.sending = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
    clear(form);
    const { ok, answer } = await send(form);
    delete form.dataset.sending;
    event.submitter?.removeAttribute("aria-busy");
    if (!ok) {
      show(form, answer);
      if (answer.now) await moved();
      return;
    }
    form.reset(); // what was sent is no longer unsaved
    if (form.contains(document.activeElement)) document.activeElement.blur();
    await done(answer, form);
  });
}

export async function send(form) {
  let response;
  try {
    // form.action would be an input of that name, if there were one.
    response = await fetch(form.getAttribute("action") ?? location.href, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    });
  } catch {
    return { ok: false, answer: { error: NO_LINE } };
  }
  try {
    return { ok: response.ok, answer: await response.json() };
  } catch {
    const error = response.status === 403 ? OUT_OF_DATE : `The server failed (${response.status}). Look at the order before you send again.`;
    return { ok: false, answer: { error } };
  }
}

export function clear(form) {
  for (const place of form.querySelectorAll(".refusal, .field-refusal")) {
    if (place.id !== "why") place.hidden = true;
  }
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** Say what is wrong. `now`: the hidden values of what he sees from here on, and decides about when he sends again. */
export function show(form, { error, fields = {}, now = {} }) {
  const unplaced = [];
  for (const [name, value] of Object.entries(now)) form.elements[name].value = value;
  for (const [name, words] of Object.entries(fields)) {
    const place = form.querySelector(`.field-refusal[data-for="${CSS.escape(name)}"]`);
    form.elements[name]?.setAttribute?.("aria-invalid", "true");
    if (place) {
      place.textContent = words;
      place.hidden = false;
    } else {
      unplaced.push(words);
    }
  }
  const words = [error, ...unplaced].filter(Boolean).join(" ");
  const place = form.querySelector(".refusal[role=alert]");
  if (words && place) {
    place.textContent = words;
    place.hidden = false;
  }
  form.querySelector("[aria-invalid]")?.focus();
}
