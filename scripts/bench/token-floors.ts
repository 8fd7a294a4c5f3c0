import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { Redis } from "ioredis";

/**
 * What an answer costs at the least, one kind per process (`FLOOR`): the same bytes as a token answer and nothing else by
 * `node:http` or Express, or what the shortest token service on Express could do: read the JSON, one round trip to Redis, open what came.
 * `redis-read` reads alone; `redis` appends the entry of an audit in the same round trip, as whoever must account for tokens has to.
 */
const kind = process.env.FLOOR as "node" | "express" | "redis-read" | "redis";
const body = process.env.FLOOR_BODY ?? "{}";

const listener =
  kind === "node" ? nodeAlone() : kind === "express" ? expressAlone() : await expressAndRedis();
const server = createServer(listener).listen(0, "127.0.0.1", () => {
  process.send?.({ ready: true, port: (server.address() as AddressInfo).port });
});

function nodeAlone(): Parameters<typeof createServer>[1] {
  return (request, response) => {
    request.resume();
    request.on("end", () => {
      response.setHeader("Content-Type", "application/json; charset=utf-8");
      response.end(body);
    });
  };
}

function bareApp() {
  return express().disable("x-powered-by").disable("etag");
}

function expressAlone() {
  const answer = JSON.parse(body) as object;
  return bareApp().post("/v1/access-tokens", (_request, response) => void response.json(answer));
}

async function expressAndRedis() {
  const redis = new Redis(process.env.REDIS_URL!, { db: 1 });
  const { access_token: token, ...rest } = JSON.parse(body) as { access_token: string };
  const key = randomBytes(32);
  await redis.set(kind, seal(token));
  function seal(text: string): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString(
      "base64url",
    );
  }
  function open(sealed: string): string {
    const bytes = Buffer.from(sealed, "base64url");
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12));
    decipher.setAuthTag(bytes.subarray(-16));
    return decipher.update(bytes.subarray(12, -16), undefined, "utf8") + decipher.final("utf8");
  }
  return bareApp().post("/v1/access-tokens", express.json(), async (request, response) => {
    const { server, subject } = request.body as { server: string; subject: { id: string } };
    let sealed: string | null;
    if (kind === "redis-read") sealed = await redis.get(kind);
    else {
      const answers = await redis
        .pipeline()
        .get(kind)
        .xadd("audit", "*", "action", "token.issued", "server", server, "subject", subject.id)
        .exec();
      sealed = answers![0]![1] as string;
    }
    response.json({ ...rest, access_token: open(sealed!) });
  });
}
