// A frame is painted over what the server drew: the same words, masked values as hidden, text never as markup.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { inWords, paint } from "../../static/dashboards/js/fields.js";
import { Element } from "./page.mjs";

const text = readFileSync(new URL("./words.json", import.meta.url), "utf8");
const { kinds, hidden, cases } = JSON.parse(text);
globalThis.document = { getElementById: () => ({ textContent: text }) };

const FRAME = { masked: ["booster_price"], booster_price: null, actual_price: "267.12", progress: 40, status: "Paused" };

function painted(dataset, frame = FRAME, steps = []) {
  const element = new Element(dataset);
  paint({ querySelectorAll: () => [element] }, frame, steps);
  return element;
}

for (const [kind, value, words] of cases) {
  test(`${kind} ${JSON.stringify(value)} reads ${JSON.stringify(words)}`, () => {
    assert.equal(inWords(kind, value, kinds), words);
  });
}

test("a masked value is hidden, and is not called 0 or nobody", () => {
  const element = painted({ field: "booster_price", kind: "money" });
  assert.equal(element.textContent, hidden);
  assert.ok(element.attributes.has("data-hidden"));
});

test("a value that is shown again is no longer hidden", () => {
  const element = painted({ field: "actual_price", kind: "money" });
  assert.equal(element.textContent, "267.12");
  assert.ok(!element.attributes.has("data-hidden"));
});

test("what did not change does not light up", () => {
  const element = painted({ field: "progress", kind: "percent" });
  assert.ok(element.attributes.has("data-fresh"));
  element.removeAttribute("data-fresh");
  paint({ querySelectorAll: () => [element] }, FRAME);
  assert.ok(!element.attributes.has("data-fresh"));
});

test("a status takes its colour along", () => {
  const element = painted({ field: "status", kind: "status" });
  assert.equal(element.dataset.status, "Paused");
  assert.equal(element.textContent, "Paused");
});

test("the bar, its width and its mark are attributes, not styles", () => {
  assert.equal(painted({ field: "progress", kind: "bar" }).attributes.get("value"), 40);
  assert.equal(painted({ field: "progress", kind: "width" }).attributes.get("width"), "40%");
  assert.equal(painted({ field: "progress", kind: "mark" }).attributes.get("cx"), "40%");
});

test("a place has the division's name and its marks", () => {
  const place = (frame) => painted({ field: "reached_rank", kind: "place" }, { ...FRAME, ...frame }, ["IV", "III", "II", "I"]).textContent;
  assert.equal(place({ reached_rank: "Gold", reached_division: 2, reached_marks: 3 }), "Gold III, 3 marks");
  assert.equal(place({ reached_rank: "Gold", reached_division: 4, reached_marks: 1 }), "Gold I, 1 mark");
  assert.equal(place({ reached_rank: "Master", reached_division: null, reached_marks: 0 }), "Master");
});
