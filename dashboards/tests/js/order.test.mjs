// What a page knows of an order: newer states replace older ones, and it is told what changed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { differences, Order } from "../../static/dashboards/js/order.js";

const frame = (version, values = {}) => ({ version, changed: Object.keys(values), masked: [], note: "", ...values });

test("the next version says itself what changed", () => {
  const order = new Order(frame(3));
  assert.deepEqual(order.take(frame(4, { note: "new" })).changed, ["note"]);
  assert.equal(order.version, 4);
});

test("an old version and a double one say nothing", () => {
  const order = new Order(frame(3, { note: "now" }));
  assert.equal(order.take(frame(3, { note: "again" })), null);
  assert.equal(order.take(frame(2, { note: "before" })), null);
  assert.equal(order.frame.note, "now");
});

test("after a gap it looks itself what differs", () => {
  const order = new Order(frame(3, { note: "old", progress: 1 }));
  const news = order.take({ ...frame(9, { note: "old", progress: 2 }), changed: [], prev: 3 });
  assert.deepEqual(news.changed, ["progress"]);
});

test("the first frame of a connection is right, also when its version is lower", () => {
  const order = new Order(frame(9, { note: "of a database that is gone" }));
  assert.equal(order.take({ ...frame(2, { note: "restored" }), prev: null }).frame.note, "restored");
  assert.equal(order.version, 2);
});

test("a frame without a version is words, not a state", () => {
  const order = new Order(frame(3));
  assert.equal(order.take({ message: "Your booster is online." }), null);
  assert.equal(order.version, 3);
});

test("of an order of which only the version is known nothing differs", () => {
  assert.deepEqual(differences({ version: 3 }, frame(4, { note: "new" })), []);
  assert.equal(new Order({ version: 3 }).take(frame(3)), null);
});

test("time, version and type are no values", () => {
  const [a, b] = [1, 2].map((n) => ({ ...frame(n), timestamp: `${n}`, prev: n, type: `${n}`, masked: [`${n}`] }));
  assert.deepEqual(differences(a, b), []);
});
