// Holds the golden vectors against an implementation in JavaScript.
//
//     node docs/reference/golden/check.mjs [folder]
//
// Needs Node 18 or newer and no packages. Take from it what you need: the order
// of seqs, BLAKE2b, the digest, the packed record.
import { readFileSync } from 'node:fs'

const folder = process.argv[2] ? new URL(`file://${process.argv[2]}/`) : new URL('.', import.meta.url)
const read = (name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
const bytes = (base64) => (base64 === null ? null : Buffer.from(base64, 'base64'))

// Names and seqs.

const GRAMMAR = {
  user: /^(?!\.{1,2}$)[!-~]{1,256}$/,
  device: /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,64}$/,
  scope: /^[a-z0-9._-]{1,32}$/,
}
const isName = (kind, text) => GRAMMAR[kind].test(text) && !/[/#]/.test(text)

function canonicalSeq (text) {
  const parts = /^([0-9]{1,15}):([0-9]{1,12}):([^:\n]+)$/.exec(text)
  if (!parts || Number(parts[2]) === 0 || !isName('device', parts[3])) return null
  return `${parts[1].padStart(15, '0')}:${parts[2].padStart(12, '0')}:${parts[3]}`
}

// BLAKE2b (RFC 7693) without a key. Node has it with 64 bytes of output only, and a
// shorter output is another hash, not a piece of that one.

const MASK = (1n << 64n) - 1n
const IV = [
  0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
]
const SIGMA = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
]
// Columns, then diagonals.
const MIXED = [
  [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15],
  [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
]
const turned = (word, count) => ((word >> count) | (word << (64n - count))) & MASK

function compress (state, block, length, last) {
  const words = Array.from({ length: 16 }, (_, at) => block.readBigUInt64LE(8 * at))
  const v = [...state, ...IV]
  v[12] ^= BigInt(length)
  if (last) v[14] ^= MASK
  for (let round = 0; round < 12; round++) {
    MIXED.forEach(([a, b, c, d], pair) => {
      const [x, y] = [0, 1].map((odd) => words[SIGMA[round % 10][2 * pair + odd]])
      v[a] = (v[a] + v[b] + x) & MASK
      v[d] = turned(v[d] ^ v[a], 32n)
      v[c] = (v[c] + v[d]) & MASK
      v[b] = turned(v[b] ^ v[c], 24n)
      v[a] = (v[a] + v[b] + y) & MASK
      v[d] = turned(v[d] ^ v[a], 16n)
      v[c] = (v[c] + v[d]) & MASK
      v[b] = turned(v[b] ^ v[c], 63n)
    })
  }
  state.forEach((word, at) => { state[at] = word ^ v[at] ^ v[at + 8] })
}

function blake2b (input, size) {
  const state = [...IV]
  state[0] ^= 0x01010000n ^ BigInt(size)
  const blocks = Math.max(1, Math.ceil(input.length / 128))
  for (let at = 0; at < blocks; at++) {
    const block = Buffer.alloc(128)
    input.copy(block, 0, 128 * at)
    compress(state, block, Math.min(input.length, 128 * (at + 1)), at === blocks - 1)
  }
  const output = Buffer.alloc(64)
  state.forEach((word, at) => output.writeBigUInt64LE(word, 8 * at))
  return output.subarray(0, size)
}

// Digests and records; numbers are big-endian.

function number (value, size) {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64BE(BigInt(value))
  return buffer.subarray(8 - size)
}

function digest (entry) {
  if (entry.content === null) return entry.digest
  const redacts = entry.redacts && `${String(entry.redacts[1]).padStart(12, '0')}:${entry.redacts[0]}`
  const parts = [
    Buffer.from(entry.device), number(entry.counter, 8), number(entry.timestamp, 8),
    Buffer.from(entry.scope), redacts && Buffer.from(redacts), bytes(entry.content), bytes(entry.meta),
  ]
  const framed = parts.map((part) =>
    part === null ? number(0xffffffff, 4) : Buffer.concat([number(part.length, 4), part]))
  return blake2b(Buffer.concat(framed), 16).toString('hex')
}

function record (entry) {
  const short = (text) => [number(text.length, 1), Buffer.from(text)]
  const [content, meta] = [bytes(entry.content), bytes(entry.meta)]
  const body = Buffer.concat([
    number(1, 1), number((content && 1) | (entry.redacts && 2) | (meta && 4), 1),
    number(entry.timestamp, 8), number(entry.counter, 8), Buffer.from(entry.digest, 'hex'),
    ...short(entry.device), ...short(entry.scope),
    ...(entry.redacts ? [number(entry.redacts[1], 8), ...short(entry.redacts[0])] : []),
    ...(meta ? [number(meta.length, 4), meta] : []), ...(content ? [content] : []),
  ])
  const user = Buffer.concat([number(entry.user.length, 2), Buffer.from(entry.user)])
  return Buffer.concat([body, blake2b(Buffer.concat([user, body]), 8)]).toString('hex')
}

// The comparison.

const counts = {}
const wrong = []
function compare (what, name, got, wanted) {
  counts[what] = (counts[what] ?? 0) + 1
  if (got !== wanted) wrong.push(`${what}: ${JSON.stringify(name)} gives ${got} instead of ${wanted}`)
}

const { seqs, order } = read('seq-order.json')
for (const seq of seqs) compare('seqs', seq.text, canonicalSeq(seq.text), seq.canonical)
// Only ASCII is in them: the order by UTF-16 units, which sort() uses, is that of the bytes.
const sorted = seqs.map((seq) => canonicalSeq(seq.text)).sort()
order.forEach((canonical, at) => compare('places in the order', canonical, sorted[at], canonical))
for (const { text } of read('bad-seqs.json')) compare('bad seqs', text, canonicalSeq(text), null)
for (const [kind, { good, bad }] of Object.entries(read('names.json'))) {
  for (const name of good) compare('names', name, isName(kind, name), true)
  for (const name of bad) compare('names', name, isName(kind, name), false)
}
for (const entry of read('digests.json')) compare('digests', entry.name, digest(entry), entry.digest)
for (const entry of read('records.json')) {
  compare('digests', entry.name, digest(entry), entry.digest)
  compare('records', entry.name, record(entry), entry.record)
}

console.log(Object.entries(counts).map(([what, count]) => `${count} ${what}`).join(', '))
wrong.forEach((line) => console.error(line))
process.exitCode = wrong.length ? 1 : 0
