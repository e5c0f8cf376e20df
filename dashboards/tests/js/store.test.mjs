// What a page holds: newer states replace older ones, it is told what changed, and nothing is kept that no topic covers.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { differences, Store } from "../../static/dashboards/js/store.js";

const frame = (version, values = {}) => ({
  order_id: 12, version, changed: Object.keys(values), masked: [], note: "", ...values,
});
let store;

beforeEach(() => {
  store = new Store();
});

test("the next version says itself what changed", () => {
  store.put(frame(3));
  assert.deepEqual(store.put(frame(4, { note: "new" })).changed, ["note"]);
  assert.equal(store.version(12), 4);
});

test("after a gap it looks itself what differs", () => {
  store.put(frame(3, { note: "old", progress: 1 }));
  const news = store.put({ ...frame(9, { note: "old", progress: 2 }), changed: [], prev: 3 });
  assert.deepEqual(news.changed, ["progress"]);
});

test("the same state once more is no news", () => {
  store.put(frame(3, { note: "now" }));
  assert.equal(store.put({ ...frame(3, { note: "now" }), prev: null }), null);
});

test("an answer to a form is taken when it is newer only", () => {
  store.put(frame(3, { note: "now" }));
  assert.equal(store.offer(frame(3, { note: "again" })), null);
  assert.equal(store.offer(frame(2, { note: "before" })), null);
  assert.equal(store.offer(frame(5, { note: "after" })).frame.note, "after");
});

test("time, version and type are no values", () => {
  const [a, b] = [1, 2].map((n) => ({ ...frame(n), timestamp: `${n}`, prev: n, type: `${n}`, masked: [`${n}`] }));
  assert.deepEqual(differences(a, b), []);
});

test("an order is held once, until the last topic that covers it lets it go", () => {
  store.put(frame(3));
  store.add("mine", 12);
  store.add("available", "12");
  store.remove("available", 12);
  assert.equal(store.frame(12).version, 3);
  store.remove("mine", 12);
  assert.equal(store.frame(12), undefined);
  assert.equal(store.version(12), undefined);
});

test("a topic's end takes along what only it covered", () => {
  for (const id of [1, 2]) store.put({ ...frame(3), order_id: id });
  store.place("mine", [1, 2]);
  store.add("order:2", 2);
  store.end("mine");
  assert.equal(store.frame(1), undefined);
  assert.equal(store.frame(2).version, 3);
});

test("a complete list says who came and who left", () => {
  store.place("mine", ["1", "2"]);
  assert.deepEqual(store.place("mine", ["2", "3"]), { added: ["3"], removed: ["1"] });
});

test("what no topic covers is swept away", () => {
  store.put(frame(3));
  store.sweep();
  assert.equal(store.frame(12), undefined);
});
