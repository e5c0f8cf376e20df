// The lists: rows that can still change read a socket each, up to a few; the list itself is looked at every few
// seconds. Boards, one socket for a whole list, will take the place of both: Watch is the seam.

import { paint } from "./fields.js";
import { actInPlace } from "./forms.js";
import { indicate } from "./indicator.js";
import { Order } from "./order.js";
import { parse } from "./parts.js";
import { OrderSocket, orderAddress } from "./socket.js";
import { toast } from "./toasts.js";

const SOCKETS = 5; // a person may have ten, and has other tabs
const EVERY = 4000; // ms between two looks; an answer without news is a 304 and a few hundred bytes
const lists = document.getElementById("lists");

/** One row that reads its order's socket. */
class Watch {
  constructor(row) {
    this.id = row.dataset.order;
    this.order = new Order({ version: Number(row.dataset.version) });
    this.state = { name: "connecting", reason: "" };
    this.socket = new OrderSocket(orderAddress(this.id), {
      onFrame: (frame) => this.take(frame),
      onState: (state) => this.show(state),
    });
    this.socket.open();
  }

  get row() {
    return lists.querySelector(`[data-order="${this.id}"]`);
  }

  take(frame) {
    if (frame.version === undefined) {
      if (frame.message) toast(`order:${this.id}`, `Order ${this.id}`, frame.message);
      return;
    }
    const before = this.order.frame?.status;
    const news = this.order.take(frame);
    if (!news || !this.row) return;
    this.row.dataset.version = frame.version;
    paint(this.row, frame);
    // Another status may move it to another list, and give it another button.
    if (before !== undefined && before !== frame.status) look();
  }

  show(state) {
    this.state = state;
    if (state.code === 4404) {
      this.row?.setAttribute("data-lost", "");
      toast(`order:${this.id}`, `Order ${this.id}`, "This order is not on your list any more.");
      look();
    }
    indicateAll();
  }

  close() {
    this.socket.close();
  }
}

const watches = new Map();

function watchRows() {
  const open = [...lists.querySelectorAll("[data-order][data-open]:not([data-lost])")].map((row) => row.dataset.order);
  const wanted = new Set(open.slice(0, SOCKETS));
  for (const [id, watch] of watches) {
    if (!wanted.has(id)) {
      watches.delete(id);
      watch.close();
    }
  }
  for (const id of wanted) {
    if (!watches.has(id)) watches.set(id, new Watch(lists.querySelector(`[data-order="${id}"]`)));
  }
  indicateAll();
}

let lastLook = { ok: true, reason: "" };

/** Live when the looks are answered and no socket waits. */
function indicateAll() {
  const states = [...watches.values()].map((watch) => watch.state);
  const ended = states.find((state) => state.name === "ended" && state.code !== 4404);
  if (ended) indicate(ended);
  else if (lastLook.reason) indicate({ name: "ended", reason: lastLook.reason });
  else if (!lastLook.ok || states.some((state) => state.name === "reconnecting")) indicate({ name: "reconnecting", reason: "" });
  else if (states.some((state) => state.name === "connecting")) indicate({ name: "connecting", reason: "" });
  else indicate({ name: "live", reason: "" });
}

let etag = null;
let timer = null;
let looking = false;
let again = false;

async function look() {
  if (looking) {
    again = true;
    return;
  }
  looking = true;
  clearTimeout(timer);
  try {
    await fetchRows();
    lastLook.ok = true;
  } catch {
    lastLook.ok = false;
  }
  looking = false;
  indicateAll();
  if (lastLook.reason) return;
  timer = setTimeout(look, again ? 200 : EVERY * (0.75 + Math.random() / 2));
  again = false;
}

async function fetchRows() {
  if (document.hidden) return;
  const response = await fetch(lists.dataset.rows + location.search, { headers: etag ? { "If-None-Match": etag } : {} });
  if (response.redirected) lastLook.reason = "you are not logged in";
  if (response.status === 304 || response.redirected) return;
  if (!response.ok) throw new Error(`the list answered ${response.status}`);
  etag = response.headers.get("ETag");
  merge(parse(await response.text()));
}

function merge(fresh) {
  for (const list of fresh.querySelectorAll("[data-list]")) {
    const old = lists.querySelector(`[data-list="${list.dataset.list}"]`);
    if (!old) continue;
    const rows = [...list.children].map((row) => newer(row));
    const same = rows.length === old.children.length && rows.every((row, index) => row === old.children[index]);
    if (!same) old.replaceChildren(...rows);
    const head = old.closest("table").tHead;
    head.hidden = rows.length === 0;
  }
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = lists.querySelector(`[data-part="${part.dataset.part}"]`);
    if (old && !old.isEqualNode(part)) old.replaceWith(part);
  }
  watchRows();
}

/** The row to show: ours when the socket was quicker than the list, or somebody is in it. */
function newer(row) {
  const old = lists.querySelector(`[data-order="${row.dataset.order}"]`);
  if (!old) {
    row.setAttribute("data-arrived", "");
    return row;
  }
  const sameList = old.closest("[data-list]").dataset.list === row.closest("[data-list]").dataset.list;
  const unchanged = Number(old.dataset.version) >= Number(row.dataset.version);
  const sameButtons = old.querySelectorAll("form").length === row.querySelectorAll("form").length;
  return sameList && unchanged && sameButtons && !old.hasAttribute("data-lost") ? old : row;
}

actInPlace(lists, async ({ location: next }) => location.assign(next));
addEventListener("online", look);
document.addEventListener("visibilitychange", () => document.hidden || look());
watchRows();
timer = setTimeout(look, EVERY);
