// A socket that comes back: after which close code, how soon, and when it gives up.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Line } from "./page.mjs";

globalThis.WebSocket = Line;
globalThis.location = { href: "https://boost.example.org/orders/12/" };
globalThis.document = Object.assign(new EventTarget(), { hidden: false });
for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) {
  globalThis[name] = EventTarget.prototype[name].bind(globalThis.document);
}
Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true });
const { OrderSocket, orderAddress, waitBefore } = await import("../../static/dashboards/js/socket.js");

let states;
let frames;
let left; // the socket of the test

function opened() {
  left = new OrderSocket(orderAddress(12), {
    onFrame: (frame) => frames.push(frame),
    onState: (state) => states.push(state),
  });
  left.open();
  return left;
}

const names = () => states.map((state) => state.name);

beforeEach(() => {
  [states, frames, Line.all] = [[], [], []];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

afterEach(() => left?.close());

test("the address is that of this site, encrypted where the page is", () => {
  assert.equal(orderAddress(12), "wss://boost.example.org/ws/orders/12/");
  assert.equal(orderAddress(12, "http://127.0.0.1:8000/"), "ws://127.0.0.1:8000/ws/orders/12/");
});

test("it is live when the server speaks, not when the line stands", () => {
  opened();
  assert.deepEqual(names(), ["connecting"]);
  Line.last.says({ version: 1 });
  assert.deepEqual(names(), ["connecting", "live"]);
  assert.deepEqual(frames, [{ version: 1 }]);
});

for (const code of [1000, 1009, 4400, 4401, 4404, 4405]) {
  test(`after ${code} it stays away, and says why`, () => {
    opened();
    Line.last.closes(code);
    mock.timers.tick(120_000);
    assert.equal(Line.all.length, 1);
    assert.equal(states.at(-1).name, "ended");
    assert.ok(states.at(-1).reason);
  });
}

for (const code of [1001, 1006, 1012, 1013, 4012, 4408, 4413, 4429, 4500, 4999]) {
  test(`after ${code} it comes back`, () => {
    opened();
    Line.last.closes(code);
    assert.equal(states.at(-1).name, "reconnecting");
    mock.timers.tick(states.at(-1).seconds * 1000 + 1);
    assert.equal(Line.all.length, 2);
  });
}

test("the wait is full jitter under a growing cap, and patience where it is asked for", () => {
  assert.equal(waitBefore(0, 1006, () => 0), 0);
  assert.deepEqual([0, 1, 2, 10, 1000].map((attempt) => waitBefore(attempt, 1006, () => 1)), [0.5, 1, 2, 30, 30]);
  assert.equal(waitBefore(0, 1013, () => 0), 5);
  assert.equal(waitBefore(0, 4429, () => 0), 5);
});

test("a frame ends the row of failures", () => {
  const socket = opened();
  for (let n = 0; n < 3; n += 1) {
    Line.last.closes(1006);
    mock.timers.tick(31_000);
  }
  assert.equal(socket.failures, 3);
  Line.last.says({ version: 1 });
  assert.equal(socket.failures, 0);
});

test("when the network is back it does not wait any longer", () => {
  opened();
  Line.last.closes(4429);
  dispatchEvent(new Event("online"));
  assert.equal(Line.all.length, 2);
  mock.timers.tick(120_000);
  assert.equal(Line.all.length, 2, "the timer is gone with it");
});

test("what cannot be read is counted, and harms nothing", () => {
  const socket = opened();
  Line.last.says("{");
  Line.last.says({ version: 1 });
  assert.equal(socket.counts.unreadable, 1);
  assert.deepEqual(frames, [{ version: 1 }]);
});

test("closed by the page it says nothing more and stays closed", () => {
  const socket = opened();
  socket.close();
  assert.equal(Line.last.closedWith, 1000);
  Line.last.says({ version: 1 });
  Line.last.closes(1006);
  dispatchEvent(new Event("online"));
  mock.timers.tick(120_000);
  assert.equal(Line.all.length, 1);
  assert.deepEqual(frames, []);
});
