// Plays the stories of the protocol with nothing but a WebSocket and text.
// node stories.mjs ws://127.0.0.1:8420 prints each answer on a line, as it came.

const url = process.argv[2];

async function open(reader) {
  const socket = new WebSocket(`${url}/sync/${reader}`);
  const arrived = [];
  let wake = () => {};
  socket.onmessage = (event) => {
    arrived.push(event.data);
    wake();
  };
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`${reader} cannot connect`));
  });
  const next = async () => {
    while (arrived.length === 0) await new Promise((resolve) => (wake = resolve));
    return arrived.shift();
  };
  const tell = async () => console.log(await next());
  const ask = async (text) => {
    socket.send(text);
    await tell();
  };
  const close = () =>
    new Promise((resolve) => {
      socket.onclose = resolve;
      socket.close();
    });
  return { ask, tell, close };
}

const scopes = { 2: "friend", 5: "friend" };
const m = (n) =>
  `{"seq":"${1710763200000 + n}:${n}:laptop","scope":"${scopes[n] ?? "private"}","content":{"n":${n}}}`;
const letter = (text, n) => `{"seq":"${1710763200000 + n}:${n + 1}:phone","content":"${text}"}`;
const letters = ["a", "b", "c", "d", "e"].map(letter);

// The device comes back with 3 to 5, and takes a to e.
const phone = await open("alice/phone");
await phone.ask(`["hello",{"seq":5,"messages":[${letters}]}]`);
await phone.close();
let laptop = await open("alice/laptop");
await laptop.ask(`["hello",{"seq":2,"messages":[${[1, 2].map(m)}]}]`);
await laptop.close();
laptop = await open("alice/laptop");
await laptop.ask(`["hello",{"seq":5,"messages":[${[3, 4, 5].map(m)}]}]`);
await laptop.close();

// It brings 6 and 7, then nothing new, then 8 and 9.
for (const hello of [
  `["hello",{"seq":7,"messages":[${[6, 7].map(m)}]}]`,
  `["hello",{"seq":7}]`,
]) {
  laptop = await open("alice/laptop");
  await laptop.ask(hello);
  await laptop.close();
}
laptop = await open("alice/laptop");
await laptop.ask(`["hello",{"seq":9,"messages":[${[8, 9].map(m)}]}]`);

// A friend sees what friends may see, now and live.
const bob = await open("bob/tablet");
await bob.ask(`["hello",{"v":1,"user":"alice","have":{},"live":true}]`);
await laptop.ask(`["add",{"messages":[${m(10)}]}]`);
await laptop.ask(`["add",{"messages":[${m(11).replace("private", "friend")}]}]`);
await bob.tell();

// What is wrong is told, and the connection goes on.
await laptop.ask(`{"hello"`);
await laptop.ask(`["add",{"messages":[${m(13)}]}]`);
await laptop.ask(`["add",{"messages":[${m(9).replace('"n"', '"other"')}]}]`);
await laptop.ask(`["hello",{"v":1,"user":"../alice","have":{}}]`);
await laptop.ask(`["add",{"messages":[{"seq":"1:12:laptop","content":"${"x".repeat(300_000)}"}]}]`);
await laptop.ask(`["add",{"messages":[${m(12)}]}]`);
await laptop.close();
await bob.close();
