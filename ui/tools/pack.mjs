// Packs the built page into one file for the binary (src/server/page.c reads it): each file plain,
// gzipped and as brotli. Usage: node pack.mjs dist out.pack
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const [dist, to] = process.argv.slice(2);

function filesIn(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesIn(join(dir, entry.name)) : [join(dir, entry.name)],
  );
}

const chunks = [];
let at = 0;
function place(bytes) {
  const where = `${at} ${bytes.length} `;
  chunks.push(bytes);
  at += bytes.length;
  return where;
}

/** Compressed only where that is worth it. */
function smaller(bytes, plain) {
  return bytes.length < plain.length * 0.9 ? bytes : Buffer.alloc(0);
}

let lines = "";
let firstLoad = 0;
for (const path of filesIn(dist).sort()) {
  const name = relative(dist, path).split(sep).join("/");
  if (/[\s]/.test(name)) throw new Error(`a name with a space: ${name}`);
  const plain = readFileSync(path);
  const brotli = brotliCompressSync(plain, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
    },
  });
  const hash = createHash("sha256").update(plain).digest("hex").slice(0, 16);
  lines +=
    `${name} ${hash} ` + place(plain) + place(smaller(gzipSync(plain, { level: 9 }), plain)) +
    place(smaller(brotli, plain)) + "\n";
  firstLoad += Math.min(brotli.length, plain.length);
}
writeFileSync(to, Buffer.concat([Buffer.from(`${Buffer.byteLength(lines)}\n${lines}`), ...chunks]));
console.log(`page: ${(firstLoad / 1024).toFixed(0)} kB as brotli, ${(at / 1024).toFixed(0)} kB in the binary`);
