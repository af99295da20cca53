// Loads a program, makes the calls asked for on stdin, one JSON object a line, and answers on descriptor 3.
// It is trusted with nothing: an answer is whatever the candidate says it is, and no expected value is here.
"use strict";
const fs = require("fs");
const vm = require("vm");
const { stringify, parse } = JSON;
const exit = process.reallyExit.bind(process);
const write = fs.writeSync;

function say(text) {
  let rest = Buffer.from(text + "\n");
  while (rest.length) {
    try {
      rest = rest.subarray(write(3, rest));
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

function encode(value, seen = []) {
  if (value === undefined) return null;
  if (typeof value === "number" && !Number.isFinite(value)) {
    return { $float: Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf" };
  }
  if (typeof value === "bigint") {
    const digits = value < 0n ? "-0x" + (-value).toString(16) : "0x" + value.toString(16);
    return { $int: digits };
  }
  if (typeof value === "function" || typeof value === "symbol") throw new TypeError(typeof value + " is no data");
  if (value === null || typeof value !== "object") return value;
  if (seen.includes(value)) throw new TypeError("it holds itself");
  seen = [...seen, value];
  if (Array.isArray(value)) return value.map((v) => encode(v, seen));
  if (value instanceof Set) return { $set: [...value].map((v) => encode(v, seen)) };
  if (value instanceof Map) return { $dict: [...value].map(([k, v]) => [encode(k, seen), encode(v, seen)]) };
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("hex") };
  if (ArrayBuffer.isView(value)) return Array.from(value, (v) => encode(v, seen));
  if (value instanceof Date) return value.toJSON();
  const pairs = Object.entries(value).map(([k, v]) => [k, encode(v, seen)]);
  return pairs.some(([k]) => k.startsWith("$") || k === "__proto__") ? { $dict: pairs } : Object.fromEntries(pairs);
}

function decode(data) {
  if (Array.isArray(data)) return data.map(decode);
  if (data === null || typeof data !== "object") return data;
  const pairs = Object.entries(data);
  if (pairs.length === 1) {
    const [tag, inner] = pairs[0];
    if (tag === "$set") return new Set(inner.map(decode));
    if (tag === "$dict") return new Map(inner.map(([k, v]) => [decode(k), decode(v)]));
    if (tag === "$bytes") return new Uint8Array(Buffer.from(inner, "hex"));
    if (tag === "$float") return { nan: NaN, inf: Infinity, "-inf": -Infinity }[inner];
    if (tag === "$int") return BigInt(inner.startsWith("-") ? inner.slice(1) : inner) * (inner.startsWith("-") ? -1n : 1n);
  }
  return Object.fromEntries(pairs.map(([k, v]) => [k, decode(v)]));
}

function described(error) {
  try {
    return String(error instanceof Error ? `${error.name}: ${error.message}` : error).slice(0, 500);
  } catch {
    return "an exception that cannot be written";
  }
}

async function main() {
  const asked = fs.readFileSync(0, "utf8").split("\n").filter((line) => line).map((line) => parse(line));
  const module = { exports: {} };
  const space = { module, exports: module.exports, require, console, process, Buffer, setTimeout, clearTimeout };
  let find;
  try {
    const source = fs.readFileSync("/box/main.js", "utf8");
    const names = Object.keys(space);
    const look = "\n;return (guerdonName) => eval(guerdonName);";
    const made = vm.compileFunction(source + look, names, { filename: "main.js" });
    find = made(...names.map((name) => space[name]));
  } catch (error) {
    say(stringify({ load: described(error) }).replace('{"load":', '{"load": '));
    return exit(1);
  }
  say('{"loaded": true}');
  for (const { i, call, args, kwargs } of asked) {
    let reply;
    try {
      const path = call.split(".");
      let value = Object.hasOwn(module.exports, path[0]) ? module.exports[path[0]] : find(path[0]);
      let self;
      for (const name of path.slice(1)) {
        if (typeof value === "function" && value.prototype && name in value.prototype) value = new value();
        self = value;
        value = value[name];
      }
      const named = Object.keys(kwargs).length ? [decode(kwargs)] : [];
      value = await Reflect.apply(value, self, [...decode(args), ...named]);
      try {
        reply = { ok: encode(value) };
      } catch (error) {
        reply = { strange: described(error) };
      }
    } catch (error) {
      reply = { raised: described(error) };
    }
    say(`{"i": ${i}, ` + stringify(reply).slice(1));
  }
  exit(0);
}

main();
