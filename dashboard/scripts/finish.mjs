// The last step of a build: puts the licences of what is built in beside it, lays a gzip copy beside every file that
// gains by one, equal for equal content, and ends with an error when all files together are larger than they may be.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUDGET = 350_000;
const dist = new URL("../dist/", import.meta.url).pathname;

function files(folder) {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => (statSync(join(folder, name)).isDirectory() ? files(join(folder, name)) : [join(folder, name)]));
}

const modules = new URL("../node_modules/", import.meta.url).pathname;
const built = ["@preact/signals", "@preact/signals-core", "echarts", "preact", "tslib", "zrender"];
const terms = built.map((name) => {
  const { version } = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
  const texts = ["LICENSE", "LICENSE.txt", "NOTICE"].map((file) => join(modules, name, file)).filter((file) => existsSync(file));
  if (texts.length === 0) throw new Error(`${name} comes without a licence`);
  return [`==== ${name} ${version}`, ...texts.map((file) => readFileSync(file, "utf8").trim())].join("\n\n");
});
writeFileSync(join(dist, "assets/licences.txt"), terms.join("\n\n") + "\n");

let total = 0;
for (const file of files(dist)) {
  const content = readFileSync(file);
  // Node writes no time and no name into the head; the byte that names the system is set, as it differs otherwise.
  const packed = gzipSync(content, { level: 9 });
  packed[9] = 255;
  const gains = packed.length < content.length;
  if (gains) writeFileSync(`${file}.gz`, packed);
  const size = gains ? packed.length : content.length;
  total += size;
  console.log(`${String(size).padStart(8)}  ${file.slice(dist.length)}`);
}
console.log(`${String(total).padStart(8)}  of ${BUDGET} bytes compressed`);
if (total > BUDGET) {
  console.error("the pages are larger than they may be");
  process.exit(1);
}
