// Account data on demand: asked for by a post, shown for a minute, and nowhere kept.

import { clear, send, show } from "./forms.js";

const SHOWN_FOR = 60_000; // ms: nobody reads a password for longer
let timer = null;

/** Answer `form[data-show]` in place. */
export function showOnDemand(root) {
  root.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-show]")) return;
    event.preventDefault();
    if (form.dataset.sending) return;
    form.dataset.sending = "yes";
    clear(form);
    const { ok, answer } = await send(form);
    delete form.dataset.sending;
    if ("ended" in root.dataset) return; // the page has lost the order meanwhile
    if (!ok) {
      show(form, answer);
    } else if (form.isConnected || root.querySelector("form[data-show]")) {
      reveal(root, answer.account);
    }
  });
  root.addEventListener("click", (event) => {
    if (event.target.closest("[data-conceal]")) {
      event.preventDefault();
      conceal(root);
    }
  });
  window.addEventListener("pagehide", () => conceal(root)); // a page in the back-forward cache shows nothing
  if (!place(root).hidden) timer = setTimeout(() => conceal(root), SHOWN_FOR);
}

const place = (root) => root.querySelector("#account-shown");

function reveal(root, account) {
  for (const value of place(root).querySelectorAll("[data-account]")) {
    value.textContent = account[value.dataset.account] ?? "";
  }
  place(root).hidden = false;
  place(root).focus();
  clearTimeout(timer);
  timer = setTimeout(() => conceal(root), SHOWN_FOR);
}

/** Take the account data off the page. */
export function conceal(root) {
  clearTimeout(timer);
  place(root).hidden = true;
  for (const value of place(root).querySelectorAll("[data-account]")) value.textContent = "";
}
