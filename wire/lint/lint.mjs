// Reads an AsyncAPI document: is it valid by the specification's own rules, and are its examples valid by its schemas?
// Nothing is fetched: every reference leads into the document.
//
//   node lint.mjs ../../docs/reference/asyncapi.json

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { Parser, DiagnosticSeverity } = require("@asyncapi/parser");
const Ajv = require("ajv");

const text = readFileSync(process.argv[2], "utf8");
const { document, diagnostics } = await new Parser().parse(text);
const troubles = diagnostics
  .filter(({ severity }) => severity <= 1) // errors and warnings; hints say that there is a newer specification
  .map(({ code, path, message }) => `${code} at ${path.join(".")}: ${message}`);
if (document === undefined) troubles.push("it is no AsyncAPI document");

const { components } = JSON.parse(text);
// The formats (dates) stand beside patterns that say the same; the keywords of the document around are not ajv's.
const ajv = new Ajv({ strict: false, formats: { "date-time": true, uuid: true, date: true }, allErrors: true });
ajv.addSchema({ $id: "document", components });
let examples = 0;
for (const [name, message] of Object.entries(components.messages)) {
  const validate = ajv.getSchema(`document${message.payload.$ref}`);
  if (!message.examples?.length) troubles.push(`${name} has no example`);
  for (const example of message.examples ?? []) {
    examples += 1;
    if (!validate(example.payload)) {
      troubles.push(`${name}, "${example.name}": ${ajv.errorsText(validate.errors)}`);
    }
  }
}

console.log(troubles.length ? troubles.join("\n") : `valid, with ${examples} examples`);
process.exitCode = troubles.length ? 1 : 0;
