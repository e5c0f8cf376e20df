// A line that comes back: after which close code, how soon, and when it gives up.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Connection, waitBefore } from "../../static/dashboards/js/connection.js";
import { Line, surroundings } from "./page.mjs";

let around;
let states;
let frames;
let losses;
let line; // the connection of the test

function opened() {
  line = new Connection("ws://test/", "order-sync.v1", {
    onFrame: (frame) => frames.push(frame),
    onLost: () => (losses += 1),
    onState: (state) => states.push(state),
  }, around);
  line.open();
  return line;
}

const names = () => states.map((state) => state.name);

beforeEach(() => {
  [states, frames, losses, Line.all] = [[], [], 0, []];
  around = surroundings();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
});

afterEach(() => line?.close());

test("it asks for the sync dialect", () => {
  opened();
  assert.deepEqual(Line.last.protocols, ["order-sync.v1"]);
});

test("it is open with the welcome, not when the line stands", () => {
  opened();
  assert.deepEqual(names(), ["connecting"]);
  Line.last.welcomes();
  assert.deepEqual(names(), ["connecting", "open"]);
});

for (const code of [1000, 1009, 4400, 4401, 4404, 4405]) {
  test(`after ${code} it stays away, and says why`, () => {
    opened();
    Line.last.closes(code);
    mock.timers.tick(120_000);
    assert.equal(Line.all.length, 1);
    assert.equal(states.at(-1).name, "ended");
    assert.equal(states.at(-1).code, code);
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
    assert.equal(losses, 1);
  });
}

test("a goodbye that says not to come back is believed, whatever the code", () => {
  opened();
  Line.last.says({ type: "goodbye", code: 4999, reason: "this server closes for good", reconnect: false });
  Line.last.closes(4999);
  assert.equal(states.at(-1).reason, "this server closes for good");
});

test("the wait is full jitter under a growing cap, and patience where it is asked for", () => {
  assert.equal(waitBefore(0, { code: 1006 }, () => 0), 0);
  assert.deepEqual([0, 1, 2, 10, 1000].map((attempt) => waitBefore(attempt, { code: 1006 }, () => 1)), [0.5, 1, 2, 30, 30]);
  assert.equal(waitBefore(0, { code: 1013 }, () => 0), 5);
  assert.equal(waitBefore(0, { code: 4429 }, () => 0), 5);
});

test("it comes back when goodbye asked it to, and not before", () => {
  around.random = () => 0;
  opened();
  Line.last.welcomes();
  Line.last.says({ type: "goodbye", code: 4012, reason: "deploy", reconnect: true, retry_after_ms: 3200 });
  Line.last.closes(4012);
  assert.equal(states.at(-1).seconds, 3.2);
  mock.timers.tick(3199);
  assert.equal(Line.all.length, 1);
  mock.timers.tick(1);
  assert.equal(Line.all.length, 2);
});

test("the wait of an earlier goodbye is not kept", () => {
  around.random = () => 0;
  opened();
  Line.last.says({ type: "goodbye", code: 4012, reconnect: true, retry_after_ms: 3200 });
  Line.last.closes(4012);
  mock.timers.tick(3200);
  Line.last.closes(1006);
  assert.equal(states.at(-1).seconds, 0);
});

test("a welcome ends the row of failures", () => {
  opened();
  for (let n = 0; n < 3; n += 1) {
    Line.last.closes(1006);
    mock.timers.tick(31_000);
  }
  assert.equal(line.failures, 3);
  Line.last.welcomes();
  assert.equal(line.failures, 0);
});

test("when the network is back it does not wait any longer", () => {
  opened();
  Line.last.closes(4429);
  around.wakeUp();
  assert.equal(Line.all.length, 2);
  mock.timers.tick(20_000);
  assert.equal(Line.all.length, 2, "the timer is gone with it");
});

test("a line that says nothing for two heartbeats is left", () => {
  around.random = () => 0;
  opened();
  Line.last.welcomes();
  mock.timers.tick(45_000);
  Line.last.says({ type: "heartbeat" });
  mock.timers.tick(50_000);
  assert.equal(Line.all.length, 1, "it has said something");
  const dead = Line.last;
  mock.timers.tick(6000);
  assert.equal(Line.all.length, 2);
  assert.equal(dead.closedWith, undefined, "a plain close");
  dead.says({ type: "order.update" });
  assert.ok(!frames.some((frame) => frame.type === "order.update"), "what a line says that was left is not heard");
  dead.closes(1006);
  assert.equal(Line.all.length, 2);
});

test("after a sleep the line has to prove that it lives", () => {
  opened();
  Line.last.welcomes();
  mock.timers.tick(20_000);
  around.wakeUp();
  assert.equal(Line.last.heard.at(-1).type, "ping");
  Line.last.says({ type: "pong", n: 1 });
  mock.timers.tick(10_000);
  assert.equal(Line.all.length, 1);
  around.wakeUp();
  mock.timers.tick(5000);
  assert.equal(states.at(-1).name, "reconnecting");
});

test("what cannot be read is counted, and harms nothing", () => {
  opened();
  Line.last.says("{");
  Line.last.welcomes();
  assert.equal(line.counts.unreadable, 1);
  assert.equal(frames.length, 1);
});

test("closed by the page it says nothing more and stays closed", () => {
  opened();
  line.close();
  assert.equal(Line.last.closedWith, 1000);
  Line.last.welcomes();
  Line.last.closes(1006);
  around.wakeUp();
  mock.timers.tick(120_000);
  assert.equal(Line.all.length, 1);
  assert.deepEqual(frames, []);
});
