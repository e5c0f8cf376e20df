// The dialect as PROTOCOL says it: continuity, what is asked for after a break, and what becomes of boards.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { decide, Session } from "../../static/dashboards/js/session.js";
import { Store } from "../../static/dashboards/js/store.js";

let store;
let session;

beforeEach(() => {
  store = new Store();
  session = new Session(store);
});

const update = (id, version, values = {}) => ({
  type: "order.update", order_id: id, version, changed: [], masked: [], note: "", ...values,
});
const welcome = (epoch = "e1") => session.hear({ type: "welcome", epoch });
const kinds = ({ news }) => news.map(({ kind }) => kind);

/** Subscribe a board and answer it: {id: version} are its members. */
function opened(orders, name = "mine") {
  const [asked] = session.subscribe(name, { topic: `orders:${name}` }).say;
  for (const [id, version] of Object.entries(orders)) session.hear(update(Number(id), version, { prev: null }));
  session.hear({ type: "synced", id: asked.id, orders, total: Object.keys(orders).length });
  return asked.id;
}

for (const [held, frame, doing] of [
  [undefined, { version: 7 }, "apply"],
  [7, { version: 8 }, "apply"],
  [7, { version: 12, prev: 7 }, "apply"],
  [7, { version: 12, prev: 5 }, "apply"],
  [7, { version: 2, prev: null }, "apply"],
  [7, { version: 7 }, "ignore"],
  [7, { version: 6, prev: 5 }, "ignore"],
  [7, { version: 9 }, "resubscribe"],
  [7, { version: 9, prev: 8 }, "resubscribe"],
]) {
  test(`holding ${held}, a frame ${JSON.stringify(frame)} means: ${doing}`, () => {
    assert.equal(decide(held, frame), doing);
  });
}

test("nothing is said before the welcome, then everything that is wanted", () => {
  assert.deepEqual(session.subscribe("mine", { topic: "orders:mine", limit: 60 }).say, []);
  const { say } = welcome();
  assert.deepEqual(say, [{ type: "subscribe", id: say[0].id, topic: "orders:mine", limit: 60 }]);
});

test("it is in step when every topic has been answered completely, and not before", () => {
  const [one, two] = (session.subscribe("mine", { topic: "orders:mine" }), session.subscribe("available", { topic: "orders:available" }), welcome().say);
  assert.equal(session.isInStep, false);
  session.hear({ type: "synced", id: one.id, orders: {}, total: 0 });
  assert.equal(session.isInStep, false);
  session.hear({ type: "synced", id: two.id, orders: {}, total: 0 });
  assert.equal(session.isInStep, true);
  session.lost();
  assert.equal(session.isInStep, false);
});

test("after a break it says what it holds, and of which history", () => {
  welcome();
  opened({ 12: 7, 13: 2 });
  session.hear(update(12, 8));
  session.lost();
  const [again] = welcome().say;
  assert.deepEqual(again.have, { epoch: "e1", versions: { 12: 8, 13: 2 } });
});

test("under another epoch it holds nothing that counts, and takes what the server has", () => {
  welcome();
  opened({ 12: 9 });
  session.lost();
  const [again] = welcome("e2").say;
  assert.equal(again.have, undefined);
  const { news } = session.hear(update(12, 2, { prev: null, note: "restored" }));
  assert.deepEqual(news[0].changed, ["note"], "it is compared with what the page shows");
  assert.equal(store.version(12), 2);
});

test("what left while the page was away is told once the list is complete", () => {
  welcome();
  opened({ 12: 7, 13: 2 });
  session.lost();
  const [again] = welcome("e2").say;
  session.hear(update(13, 1, { prev: null }));
  const { news } = session.hear({ type: "synced", id: again.id, orders: { 13: 1 }, total: 1 });
  assert.deepEqual(news[0].removed.map(({ id, reason }) => [id, reason]), [["12", "forbidden"]]);
});

test("a gap is asked for again, with what is held", () => {
  welcome();
  const id = opened({ 12: 7 });
  const { say } = session.hear(update(12, 9));
  assert.deepEqual(say.map(({ type }) => type), ["unsubscribe", "subscribe"]);
  assert.equal(say[0].id, id);
  assert.notEqual(say[1].id, id, "what is still under way for the old one is not mistaken");
  assert.deepEqual(say[1].have.versions, { 12: 7 });
  assert.equal(session.gaps, 1);
  assert.equal(session.isInStep, false);
});

test("a list that is complete without a state that it names is asked for again", () => {
  welcome();
  const [asked] = session.subscribe("mine", { topic: "orders:mine" }).say;
  const { again } = session.hear({ type: "synced", id: asked.id, orders: { 12: 7 }, total: 1 });
  assert.deepEqual(again.map(({ name }) => name), ["mine"]);
  assert.equal(session.isInStep, false);
});

test("an order is one state however many lists cover it", () => {
  welcome();
  opened({ 12: 7 });
  opened({ 12: 7 }, "all");
  assert.deepEqual(kinds(session.hear(update(12, 8))), ["order"]);
  assert.deepEqual(session.hear(update(12, 8)).news, []);
});

test("a board's news say who came and who left, and show the last state of who left", () => {
  welcome();
  const id = opened({ 12: 7 });
  session.hear(update(13, 1, { prev: null }));
  const { news } = session.hear({ type: "board", id, added: [13], removed: [{ order_id: 12, reason: "reassigned" }] });
  assert.deepEqual(news[0].added, ["13"]);
  assert.equal(news[0].removed[0].reason, "reassigned");
  assert.equal(news[0].removed[0].frame.version, 7);
  assert.equal(store.frame(12), undefined, "nothing of it is kept");
});

test("a revoked topic has ended and is not asked for again", () => {
  welcome();
  const [{ id }] = session.subscribe("order", { topic: "order:12" }).say;
  const { news } = session.hear({ type: "revoked", id, reason: "reassigned" });
  assert.deepEqual(news, [{ kind: "ended", name: "order", code: "revoked", reason: "reassigned" }]);
  session.lost();
  assert.deepEqual(welcome().say, []);
});

test("a temporary error is asked again when the server says, any other is the end", () => {
  welcome();
  const [one] = session.subscribe("mine", { topic: "orders:mine" }).say;
  const { again } = session.hear({ type: "error", id: one.id, code: "unavailable", message: "", temporary: true, retry_after_ms: 700 });
  assert.deepEqual(again, [{ name: "mine", ms: 700 }]);
  const [two] = session.ask("mine").say;
  assert.equal(two.type, "subscribe", "the server has forgotten it: there is nothing to unsubscribe");
  assert.deepEqual(kinds(session.hear({ type: "error", id: two.id, code: "not_found", message: "", temporary: false })), ["ended"]);
});

test("frames of a topic that was given up, and types of a later server, are ignored", () => {
  welcome();
  const id = opened({ 12: 7 });
  session.unsubscribe("mine");
  assert.deepEqual(session.hear({ type: "board", id, added: [13], removed: [] }).news, []);
  assert.deepEqual(session.hear({ type: "weather", id: "x" }).news, []);
});
