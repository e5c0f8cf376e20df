// Exchanges the parts that the server draws, without losing what somebody is typing in them.

/** Return the elements with an id in a fragment of this site's own HTML. Scripts in it do not run. */
export function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

/** Whether somebody has written something into `form` that is not sent, or is about to. */
export function isInUse(form) {
  if (form.dataset.sending || (form.contains(document.activeElement) && document.activeElement.matches("input, select, textarea"))) return true;
  return [...form.elements].some((input) => {
    if (input.type === "hidden" || input.matches("button")) return false;
    if (input.options) return [...input.options].some((option, index) => option.selected !== (option.defaultSelected || (index === 0 && !hasDefault(input))));
    return input.type === "checkbox" ? input.checked !== input.defaultChecked : input.value !== input.defaultValue;
  });
}

const hasDefault = (select) => [...select.options].some((option) => option.defaultSelected);

/** Put `fresh` in the place of `old`; forms in use stay as they are, open details stay open. */
export function exchange(old, fresh) {
  const open = new Set([...old.querySelectorAll("details[data-verb][open]")].map((details) => details.dataset.verb));
  for (const details of fresh.querySelectorAll("details[data-verb]")) {
    if (open.has(details.dataset.verb)) details.open = true;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  for (const form of old.querySelectorAll("form[data-verb]")) {
    if (!isInUse(form)) continue;
    const place = fresh.querySelector(`form[data-verb="${CSS.escape(form.dataset.verb)}"]`);
    if (place) place.replaceWith(form);
    else keepWords(form, fresh);
  }
  old.replaceChildren(...fresh.childNodes);
  if (focused?.isConnected) focused.focus();
}

/** The action is not possible any more: leave the words to be copied, and nothing to press. */
function keepWords(form, fresh) {
  const words = [...form.elements].filter((input) => input.matches("textarea, input[type=text]") && input.value);
  if (words.length === 0) return;
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  const refusal = form.querySelector(".refusal");
  if (refusal) {
    refusal.textContent = "This is not possible any more. Your text is still here to copy.";
    refusal.hidden = false;
  }
  fresh.append(form);
}
