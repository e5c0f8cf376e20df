// One order: follows its topic, paints what changed, sends the forms.

import { conceal, showOnDemand } from "./account.js";
import { paint } from "./fields.js";
import { actInPlace } from "./forms.js";
import { indicate } from "./indicator.js";
import { exchange, parse } from "./parts.js";
import { endWords, newsWords, orderName } from "./sentences.js";
import { OrderSocket } from "./socket.js";
import { toast } from "./toasts.js";

// Buttons, the way and the ledger depend on these; all else is painted from the frame alone.
const PARTS = new Set(
  "status booster_id title actual_price booster_price last_payment last_payout note disputed".split(" "),
);
const PAUSE = 150; // ms: what comes together is drawn together

const article = document.getElementById("order");
const id = Number(article.dataset.order);
const steps = (article.dataset.steps ?? "").split(",");
const topic = `order:${id}`;
const held = JSON.parse(document.getElementById("frame").textContent);
const socket = new OrderSocket({ onNews: hear, onState: show });
let partsTimer = null;
let isOver = false;

function hear(news) {
  if (news.kind === "order") take(news);
  if (news.kind === "ended") end({ name: "ended", reason: endWords(news.reason) });
}

function take(news) {
  const { frame } = news;
  paint(article, frame, steps);
  const words = newsWords(news);
  if (words) toast(topic, `Order ${id} · ${frame.progress} %`, words);
  if (needsParts(news)) drawParts();
}

function needsParts({ changed, before, frame }) {
  // What the viewer is to the order may have changed with it: then other fields are masked.
  if (before && String(before.masked) !== String(frame.masked)) return true;
  // At 100 % an order can be finished, and below it released.
  if (changed.includes("progress") && [before?.progress, frame.progress].includes(100)) return true;
  // A form for progress starts above what is reached.
  if (changed.includes("progress") || changed.some((name) => name.startsWith("reached_"))) {
    if (article.querySelector("[data-verb=report]")) return true;
  }
  return changed.some((name) => PARTS.has(name));
}

function drawParts() {
  clearTimeout(partsTimer);
  partsTimer = setTimeout(fetchParts, PAUSE);
}

async function fetchParts() {
  let response;
  try {
    response = await fetch(article.dataset.parts);
  } catch {
    return; // the socket will be back with the line, and with it the next change
  }
  if (!response.ok || response.redirected || isOver) return;
  const fresh = parse(await response.text());
  for (const part of fresh.querySelectorAll("[id^=part-]")) {
    const old = document.getElementById(part.id);
    if (old) exchange(old, part);
  }
  if (!article.querySelector("form[data-show]")) conceal(article); // he may not see it any more
  // Drawn from the database a moment ago; the socket may know more by now.
  const frame = socket.store.frame(id);
  if (frame) paint(article, frame, steps);
}

function show(state) {
  if (isOver) return;
  if (state.name === "ended") end(state);
  else indicate(state);
}

/** This page follows no more: say why, and offer nothing to press. */
function end(state) {
  isOver = true;
  indicate(state);
  article.dataset.ended = "";
  conceal(article);
  for (const button of article.querySelectorAll("form:is([data-act], [data-show]) button")) button.disabled = true;
  toast(`${topic}:ended`, orderName(id, held.title), `Live updates have ended: ${state.reason}.`);
  socket.close();
}

actInPlace(article, async ({ frame, location: next }, form) => {
  if (!frame) {
    location.assign(next);
    return;
  }
  form.closest("details")?.removeAttribute("open");
  const news = socket.store.offer(frame);
  if (news) take(news);
  clearTimeout(partsTimer);
  await fetchParts();
}, fetchParts);

showOnDemand(article);

socket.store.offer(held);
socket.subscribe("order", { topic });
socket.open();
