// dist/ is committed, for `milepost local` serves it: it must be what src/ builds to, and small.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import vm from "node:vm";

import { BYTES_MAX, files, gzipped, stale } from "../build.mjs";

test("dist is what src builds to", async () => {
  assert.deepEqual(await stale(await files()), [], "hint: npm run build");
});

test("each file is smaller than 2,048 bytes gzipped", async () => {
  for (const [name, text] of await files()) {
    if (!name.endsWith(".map")) assert.ok(gzipped(text) < BYTES_MAX, `${name}: ${gzipped(text)}`);
  }
});

test("the module exports the client, and importing it does nothing", async () => {
  const module = await import("../dist/milepost.mjs");
  assert.deepEqual(Object.keys(module), ["milepost"]);
});

test("the classic script leaves one name behind", async () => {
  const context = vm.createContext({});
  const script = await readFile(new URL("../dist/milepost.js", import.meta.url), "utf8");
  vm.runInContext(script, context);
  assert.deepEqual(Object.keys(context), ["milepost"]);
  assert.equal(vm.runInContext("typeof milepost", context), "function");
});
