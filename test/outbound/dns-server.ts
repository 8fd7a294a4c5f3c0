import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { Address } from "../../src/outbound/guarded-connect.ts";

const A = 1;
const AAAA = 28;

/**
 * A DNS server on loopback whose answers live for 0 seconds (RFC 1035 §4.1), and a look-up that asks it alone.
 * @param answer the addresses for a name, each time it is asked anew; `asked` counts from 1 for each name and kind
 */
export async function startDns(answer: (name: string, asked: number) => readonly string[]) {
  const asked = new Map<string, number>();
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const { name, type, end } = readQuestion(query);
    const key = `${type} ${name}`;
    asked.set(key, (asked.get(key) ?? 0) + 1);
    const addresses = answer(name, asked.get(key)!).filter((address) =>
      address.includes(":") ? type === AAAA : type === A,
    );
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(0x8580, 2);
    head.writeUInt16BE(addresses.length, 6);
    head.writeUInt32BE(0, 8);
    socket.send(
      Buffer.concat([head, query.subarray(12, end), ...addresses.map((address) => record(type, address))]),
      from.port,
      from.address,
    );
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  onTestFinished(() => void socket.close());

  const resolver = new Resolver({ timeout: 5_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${(socket.address() as AddressInfo).port}`]);
  const lookup = async (name: string): Promise<readonly Address[]> => {
    const [four, six] = await Promise.all([
      resolver.resolve4(name).catch(() => []),
      resolver.resolve6(name).catch(() => []),
    ]);
    return [
      ...four.map((address) => ({ address, family: 4 })),
      ...six.map((address) => ({ address, family: 6 })),
    ];
  };
  return { lookup, asked: () => [...asked.values()].reduce((sum, count) => sum + count, 0) };
}

function readQuestion(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function record(type: number, address: string): Buffer {
  const data =
    type === A
      ? Buffer.from(address.split(".").map(Number))
      : Buffer.from(address === "::1" ? `${"00".repeat(15)}01` : "20010db8".padEnd(32, "0"), "hex");
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0); // the name of the question
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(0, 6); // TTL 0
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
