// Says how fresh the page is. Colour and words, so that neither is needed alone.

import { freshness, loginAddress, wantsLogin } from "./freshness.js";

const CALM = 400; // ms: what is over by then is not worth a flicker
const element = document.getElementById("live");
let state = { name: "connecting", reason: "" };
let attemptAt = 0;
let timer = null;

/** Show a state of OrderSocket. */
export function indicate(next) {
  const isPassing = ["live", "late"].includes(element.dataset.state) && next.name === "catching-up";
  if (next.name !== state.name || next.seconds !== state.seconds) attemptAt = Date.now() + (next.seconds ?? 0) * 1000;
  state = next;
  clearTimeout(timer);
  timer = setTimeout(draw, isPassing ? CALM : 0);
}

function draw() {
  const left = Math.max(0, Math.ceil((attemptAt - Date.now()) / 1000));
  const { words, detail, hint } = freshness(state, left);
  element.dataset.state = state.name;
  element.title = hint;
  put(element.querySelector(".live-text"), words);
  put(element.querySelector(".live-detail"), detail);
  const link = element.querySelector(".live-login");
  link.hidden = !wantsLogin(state);
  if (!link.hidden) link.href = loginAddress(element.dataset.login, location);
  if (state.name === "reconnecting" && left > 0) timer = setTimeout(draw, 1000);
}

function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
