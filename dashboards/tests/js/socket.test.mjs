// The one socket of a page: when it calls itself live, and that it says what it holds when it comes back.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { OrderSocket, syncAddress } from "../../static/dashboards/js/socket.js";
import { Line, surroundings } from "./page.mjs";

let news;
let states;
let socket;

beforeEach(() => {
  [news, states, Line.all] = [[], [], []];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  socket = new OrderSocket({
    address: "ws://test/",
    onNews: (one) => news.push(one),
    onState: (state) => states.push(state),
    around: surroundings(),
  });
  socket.subscribe("order", { topic: "order:12" });
  socket.open();
});

afterEach(() => socket.close());

const asked = () => Line.last.heard.findLast(({ type }) => type === "subscribe");
const state = () => states.at(-1);

function syncs(version) {
  Line.last.says({ type: "order.update", order_id: 12, version, changed: [], masked: [], prev: null });
  Line.last.says({ type: "synced", id: asked().id, orders: { 12: version }, total: 1 });
}

test("the address is that of this site, encrypted where the page is", () => {
  assert.equal(syncAddress("https://boost.example.org/orders/12/"), "wss://boost.example.org/ws/orders/");
  assert.equal(syncAddress("http://127.0.0.1:8000/"), "ws://127.0.0.1:8000/ws/orders/");
});

test("it is live when everything is here, not when the server speaks", () => {
  Line.last.welcomes();
  assert.equal(state().name, "connecting");
  syncs(7);
  assert.equal(state().name, "live");
  assert.deepEqual(news.map(({ kind }) => kind), ["order", "synced"]);
});

test("it comes back with what it holds, and catches up before it is live again", () => {
  Line.last.welcomes();
  syncs(7);
  Line.last.closes(1006);
  assert.equal(state().name, "reconnecting");
  mock.timers.tick(1000);
  Line.last.welcomes();
  assert.deepEqual(asked().have, { epoch: "e1", versions: { 12: 7 } });
  assert.equal(state().name, "catching-up");
  Line.last.says({ type: "order.update", order_id: 12, version: 9, changed: [], masked: [], prev: 7 });
  Line.last.says({ type: "synced", id: asked().id, orders: { 12: 9 }, total: 1 });
  assert.equal(state().name, "live");
  assert.equal(socket.counts.gaps, 0);
});

test("a heartbeat says up to when all is verified", () => {
  Line.last.welcomes();
  syncs(7);
  assert.equal(state().verifiedAt, null);
  Line.last.says({ type: "heartbeat", server_time: "2026-11-24T03:18:06Z", verified_at: "2026-11-24T03:18:05Z" });
  assert.deepEqual([state().name, state().verifiedAt], ["live", "2026-11-24T03:18:05Z"]);
});

test("when the server cannot look into its database, a page does not look live", () => {
  Line.last.welcomes();
  syncs(7);
  Line.last.says({ type: "heartbeat", server_time: "2026-11-24T03:18:06Z", verified_at: "2026-11-24T03:18:05Z" });
  Line.last.says({ type: "heartbeat", server_time: "2026-11-24T03:19:06Z", verified_at: "2026-11-24T03:18:05Z" });
  assert.equal(state().name, "late");
  Line.last.says({ type: "heartbeat", server_time: "2026-11-24T03:19:31Z", verified_at: "2026-11-24T03:19:30Z" });
  assert.equal(state().name, "live");
});

test("what is temporarily not there is asked for again", () => {
  Line.last.welcomes();
  Line.last.says({ type: "error", id: asked().id, code: "unavailable", message: "", temporary: true, retry_after_ms: 700 });
  mock.timers.tick(699);
  const before = Line.last.heard.length;
  mock.timers.tick(1);
  assert.equal(Line.last.heard.length, before + 1);
});

test("a session that has ended ends the page's line", () => {
  Line.last.welcomes();
  syncs(7);
  Line.last.closes(4405);
  assert.deepEqual([state().name, state().code], ["ended", 4405]);
});
