// Builds templates/web/story_editor.js and story_paste.js from src/, with the licences of what is in it, the Brotli of the largest scripts,
// which the server cannot make, and the sums that a test compares.
// `node build.mjs --check` writes nothing, and fails if what is committed differs in a byte.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const BUNDLE = "templates/web/story_editor.js";
const PASTE = "templates/web/story_paste.js";
const LARGE = [BUNDLE, PASTE, "templates/web/htmx.js"];
const LICENCES = "templates/web/licences/story_editor.LICENCES.txt";
const SUMS = "studio/SHA256SUMS";
const BANNER = "/* The licences of what is in here: licences/story_editor.LICENCES.txt */";

async function bundle(source, format) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: here,
    entryPoints: [source],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format,
    charset: "utf8",
    legalComments: "none",
    target: ["chrome111", "firefox115", "safari16.4"],
    banner: { js: BANNER },
  });
  return { script: outputFiles[0].text, packages: listPackages(metafile) };
}

function listPackages(metafile) {
  const names = Object.keys(metafile.inputs).map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  return [...new Set(names)].filter(Boolean).sort();
}

function collectLicences(packages) {
  return packages
    .map((name) => {
      const folder = join(here, "node_modules", name);
      const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const title = `${name} ${version} (${license})`;
      return `${title}\n${"=".repeat(title.length)}\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}\n`;
    })
    .join("\n\n");
}

function sum(files) {
  return files.map(([path, text]) => `${createHash("sha256").update(text).digest("hex")}  ${path}\n`).join("");
}

function listSources() {
  const sources = readdirSync(join(here, "src"), { recursive: true }).filter((name) => name.endsWith(".js"));
  const names = ["build.mjs", "package.json", "package-lock.json", ...sources.map((name) => `src/${name}`)];
  return names.sort().map((name) => [`studio/${name}`, readFileSync(join(here, name), "utf8")]);
}

/** `data` by Brotli. What is committed stays if it is of the same text: another Node.js may write it in other bytes. */
function compress(path, data) {
  try {
    const committed = readFileSync(join(root, path));
    if (brotliDecompressSync(committed).equals(data)) return committed;
  } catch {
    // There is none yet, or it is broken.
  }
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_SIZE_HINT]: data.length,
  };
  return brotliCompressSync(data, { params });
}

function differs([path, content]) {
  try {
    return !readFileSync(join(root, path)).equals(Buffer.from(content));
  } catch {
    return true;
  }
}

const editor = await bundle("src/story_editor.js", "iife");
const paste = await bundle("src/paste/clean_html.js", "esm");
const built = [
  [BUNDLE, editor.script],
  [PASTE, paste.script],
  [LICENCES, collectLicences([...new Set([...editor.packages, ...paste.packages])].sort())],
];
const large = LARGE.map((path) => [path, built.find(([name]) => name === path)?.[1] ?? readFileSync(join(root, path))]);
const compressed = large.map(([path, content]) => [`${path}.br`, compress(`${path}.br`, Buffer.from(content))]);
const others = large.filter(([path]) => !built.some(([name]) => name === path));
const files = [...built, ...compressed];
files.push([SUMS, sum([...listSources(), ...others, ...files])]);
const differing = files.filter(differs);
if (!process.argv.includes("--check")) {
  for (const [path, content] of differing) writeFileSync(join(root, path), content);
} else if (differing.length > 0) {
  console.error(`Out of date: ${differing.map(([path]) => path).join(", ")}. Run \`make editor\` and commit what it writes.`);
  process.exit(1);
}
