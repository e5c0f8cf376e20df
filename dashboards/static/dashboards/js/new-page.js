// The order form: asks the server what it would cost while it is filled in, then sends it.

import { actInPlace } from "./forms.js";

const form = document.getElementById("order-form");
const price = document.getElementById("price");
const why = document.getElementById("why");
const PAUSE = 200; // ms
let timer = null;
let asked = 0;

async function quote() {
  const number = ++asked;
  let answer;
  try {
    const response = await fetch(form.dataset.quote, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    });
    answer = await response.json();
  } catch {
    return; // the price shown when it is sent is the server's anyway
  }
  if (number !== asked) return; // a later question is under way
  price.textContent = answer.price || "–";
  why.textContent = answer.why || answer.error || "";
  why.hidden = why.textContent === "";
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(quote, PAUSE);
}

for (const element of document.querySelectorAll(".without-script")) element.hidden = true;
form.addEventListener("input", (event) => {
  if (event.target.name !== "note") soon();
});
actInPlace(document, async ({ location: next }) => location.assign(next));
