// The lists: one board for each, over the page's one socket. Values are painted from frames; where a row comes, goes
// or changes its shape, the server draws it.

import { paint } from "./fields.js";
import { actInPlace } from "./forms.js";
import { indicate } from "./indicator.js";
import { Rows } from "./rows.js";
import { lossWords, orderName } from "./sentences.js";
import { OrderSocket } from "./socket.js";
import { toast } from "./toasts.js";

const BOARD = 60; // orders that a board follows, three pages; rows of later pages are followed one by one
const EVERY = { live: 60_000, late: 60_000, ended: 0 }; // ms between two looks in case something was missed
const GRACE = 10_000; // ms in which a board says why a row has gone; while the line is away, as long as that takes
const WITHOUT_LINE = 10_000; // the same while the socket is away
// Another button, another list, or another number above it.
const SHAPE = new Set("status booster_id title last_payment last_payout".split(" "));

const lists = document.getElementById("lists");
const shelves = new Map();
for (const { dataset } of lists.querySelectorAll("[data-topic]")) {
  shelves.set(dataset.shelf, { topic: dataset.topic, filter: JSON.parse(dataset.filter), title: dataset.title });
}
const boards = new Set();
const departed = new Map(); // id → list, of rows that went before a board said why
let followed = new Set(); // rows that are followed one by one
let isLive = false;
let isOver = false;

const socket = new OrderSocket({ onNews: take, onState: show });
const rows = new Rows(lists, { onDrawn: drawn, onLoggedOut: () => end({ name: "ended", reason: "you are not logged in", code: 4401 }) });

for (const [name, { topic, filter }] of shelves) {
  subscribeBoard(name, topic, filter);
  // The numbers in the filter count every status, so all of them are followed.
  const { status, ...others } = filter;
  if (status) subscribeBoard(`${name} in every status`, topic, others);
}

function subscribeBoard(name, topic, filter) {
  boards.add(name);
  socket.subscribe(name, { topic, filter, limit: BOARD });
}

function take(news) {
  if (news.kind === "order") repaint(news);
  if (news.kind === "board" || news.kind === "synced") {
    for (const lost of news.removed) lose(news.name, lost);
    rows.look();
    follow();
    if (news.kind === "synced" && areComplete()) departed.clear();
  }
  if (news.kind === "ended") leave(news);
}

function repaint({ id, frame, before, changed }) {
  const row = rows.of(id);
  if (row && frame.version >= Number(row.dataset.version)) {
    row.dataset.version = frame.version;
    paint(row, frame);
  }
  const mask = before && String(before.masked) !== String(frame.masked);
  if (mask || changed.some((name) => SHAPE.has(name))) rows.look();
}

/** An order has left the list `shelf`: nothing in its row can be pressed, and whoever saw it is told why. */
function lose(shelf, { id, reason, frame }) {
  if (!shelves.has(shelf) || (rows.shelfOf(id) ?? departed.get(id)) !== shelf) return;
  const row = rows.of(id);
  row?.setAttribute("data-lost", "");
  for (const button of row?.querySelectorAll("button") ?? []) button.disabled = true;
  const { filter } = shelves.get(shelf);
  const other = [...shelves].find(([name]) => name !== shelf && socket.store.members(name).has(id));
  const words = lossWords({ shelf, reason, frame, statuses: filter.status, now: other?.[1].title });
  const title = frame?.title ?? row?.querySelector("[data-field=title]")?.textContent;
  if (words) toast(`order:${id}`, orderName(id, title), words);
}

/** A topic has ended for good: a single row, or a whole list. */
function leave({ name, reason }) {
  if (boards.has(name)) {
    end({ name: "ended", reason: "this list is no longer yours to see: reload the page" });
    return;
  }
  const id = name.slice("order:".length);
  lose(rows.shelfOf(id), { id, reason });
  rows.look();
}

function drawn(gone) {
  for (const { id, shelf } of gone) {
    departed.set(id, shelf);
    if (isLive) setTimeout(() => departed.delete(id), GRACE);
  }
  follow();
}

const areComplete = () => [...boards].every((name) => socket.isSynced(name));

/** Follow one by one the rows that no board covers, those of later pages. */
function follow() {
  if (!areComplete()) return;
  const onBoards = (id) => [...boards].some((name) => socket.store.members(name).has(id));
  const wanted = new Set(rows.ids.filter((id) => !onBoards(id)).map((id) => `order:${id}`));
  for (const name of followed) {
    if (!wanted.has(name)) socket.unsubscribe(name);
  }
  for (const name of wanted) {
    if (!socket.has(name) && !followed.has(name)) socket.subscribe(name, { topic: name });
  }
  followed = wanted;
}

function show(state) {
  if (isOver) return;
  isLive = state.name === "live" || state.name === "late";
  indicate(state);
  rows.lookEvery(EVERY[state.name] ?? WITHOUT_LINE);
  if (state.name === "ended") end(state);
}

/** Nothing on this page follows any more: say so, and offer nothing to press. */
function end(state) {
  isOver = true;
  indicate(state);
  rows.lookEvery(0);
  lists.dataset.ended = "";
  for (const button of lists.querySelectorAll("form[data-act] button")) button.disabled = true;
  socket.close();
}

actInPlace(lists, async ({ location: next }) => location.assign(next));
socket.open();
