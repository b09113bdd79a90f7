// Builds dist/ from src/milepost.js: a module and a classic script, minified, with source maps.
//
//     node build.mjs            writes dist/ and prints the sizes
//     node build.mjs --check    writes nothing; exits 1 if dist/ is not what src/ builds to
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { minify } from "terser";

/** What a gzipped file must stay below, in bytes. */
export const BYTES_MAX = 2_048;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const EXPORT = "export { milepost };\n";

/** The files of dist/: texts by name. */
export async function files() {
  const source = await readFile(here("src/milepost.js"), "utf8");
  if (!source.endsWith(EXPORT)) throw new Error("src/milepost.js must end with its export");
  // The classic script leaves one name behind.
  const script = source.slice(0, -EXPORT.length) + "globalThis.milepost = milepost;\n";
  return new Map([
    ...(await minified("milepost.mjs", source, { module: true })),
    ...(await minified("milepost.js", script, { enclose: true })),
  ]);
}

async function minified(name, source, form) {
  const { code, map } = await minify(
    { "../src/milepost.js": source },
    {
      ...form,
      ecma: 2020,
      compress: { passes: 3 },
      sourceMap: { filename: name, url: `${name}.map`, includeSources: true },
    },
  );
  return [
    [name, `${code}\n`],
    [`${name}.map`, `${map}\n`],
  ];
}

/** The size of a text, gzipped. */
export const gzipped = (text) => gzipSync(text, { level: 9 }).length;

/** The names of the files that dist/ has not, or holds otherwise. */
export async function stale(made) {
  const names = [];
  for (const [name, text] of made) {
    const present = await readFile(here(`dist/${name}`), "utf8").catch(() => undefined);
    if (present !== text) names.push(name);
  }
  return names;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const made = await files();
  if (process.argv.includes("--check")) {
    const names = await stale(made);
    if (names.length > 0) {
      console.error(`error: not what src/ builds to: ${names.join(", ")}; hint: npm run build`);
      process.exitCode = 1;
    }
  } else {
    await mkdir(here("dist"), { recursive: true });
    for (const [name, text] of made) await writeFile(here(`dist/${name}`), text);
  }
  for (const [name, text] of made) {
    if (name.endsWith(".map")) continue;
    const size = gzipped(text);
    console.log(`dist/${name}: ${Buffer.byteLength(text)} bytes, ${size} gzipped (< ${BYTES_MAX})`);
    if (size >= BYTES_MAX) process.exitCode = 1;
  }
}
