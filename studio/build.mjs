// Builds templates/web/story_editor.js from src/, with the licences of what is in it and the sums that a test compares.
// `node build.mjs --check` writes nothing, and fails if what is committed differs in a byte.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const BUNDLE = "templates/web/story_editor.js";
const LICENCES = "templates/web/licences/story_editor.LICENCES.txt";
const SUMS = "studio/SHA256SUMS";
const BANNER = "/* The licences of what is in here: licences/story_editor.LICENCES.txt */";

async function bundle() {
  const { outputFiles, metafile } = await build({
    absWorkingDir: here,
    entryPoints: ["src/story_editor.js"],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "iife",
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

const { script, packages } = await bundle();
const built = [
  [BUNDLE, script],
  [LICENCES, collectLicences(packages)],
];
const files = [...built, [SUMS, sum([...listSources(), ...built])]];
const differing = files.filter(([path, text]) => {
  try {
    return readFileSync(join(root, path), "utf8") !== text;
  } catch {
    return true;
  }
});
if (!process.argv.includes("--check")) {
  for (const [path, text] of differing) writeFileSync(join(root, path), text);
} else if (differing.length > 0) {
  console.error(`Out of date: ${differing.map(([path]) => path).join(", ")}. Run \`make editor\` and commit what it writes.`);
  process.exit(1);
}
