import fc from "fast-check";
import type { Document, Json, Operation, Schema } from "../http/openapi-document.ts";
import { operationsOf } from "../http/openapi-document.ts";

/** What is there, by kind of id; `foreign` is the same of another organisation. */
export interface KnownIds {
  readonly own: readonly string[];
  readonly foreign: readonly string[];
  readonly returnUrl: string;
}

/** A request as it goes over the wire. */
export interface FuzzedRequest {
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | undefined;
  /** Whose proof comes along. */
  readonly caller: Caller;
}

export type Caller = "bearer" | "basic" | "stranger" | "nobody" | "rubbish";

/**
 * Requests to every operation of the document: as its schemas have it, or spoilt in one place or in many. What a schema
 * says nothing of is tried too: methods, types, headers, duplicates, prototypes, sizes.
 */
export function fuzzedRequests(document: Document, known: KnownIds): fc.Arbitrary<FuzzedRequest> {
  const values = new Values(document, known);
  return fc.oneof(...operationsOf(document).map((operation) => requestsOf(operation, values)));
}

function requestsOf(operation: Operation, values: Values): fc.Arbitrary<FuzzedRequest> {
  const { parameters, requestBody } = operation;
  const at = (place: string) => parameters.filter((parameter) => parameter.in === place);
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const text: fc.Arbitrary<string | undefined> =
    content === undefined
      ? fc.option(values.bodyText({}), { nil: undefined, freq: 8 })
      : type === FORM
        ? values.formText(content.schema)
        : values.bodyText(content.schema);
  return fc
    .record({
      method: mostly(19, fc.constant(operation.method.toUpperCase()), fc.constantFrom(...METHODS)),
      segments: fc.tuple(...at("path").map(({ schema }) => values.segment(schema))),
      query: values.query(at("query")),
      body: text,
      type: mostly(14, fc.constant(type ?? JSON_TYPE), fc.constantFrom(...TYPES)),
      headers: mostly<FuzzedRequest["headers"]>(
        6,
        fc.constant([]),
        fc.array(fc.constantFrom(...HEADERS), { maxLength: 4 }),
      ),
      caller: mostly<Caller>(
        6,
        fc.constantFrom("bearer", "basic"),
        fc.constantFrom("stranger", "nobody", "rubbish"),
      ),
    })
    .map(({ method, segments, query, body, type, headers, caller }) => {
      let next = 0;
      const path = operation.path.replaceAll(/\{\w+\}/g, () => segments[next++] ?? "");
      const bodiless = method === "GET" || method === "HEAD" || body === undefined;
      return {
        operation: operation.operationId,
        method,
        path: query === "" ? path : `${path}?${query}`,
        headers: bodiless ? headers : [["content-type", type] as const, ...headers],
        body: bodiless ? undefined : body,
        caller,
      };
    });
}

const mostly = <T>(weight: number, usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: odd });

/** Values as a schema has them, one in twelve of them something else; bodies and queries put together of them. */
class Values {
  readonly #document: Document;
  readonly #known: KnownIds;
  readonly #ids: fc.Arbitrary<string>;

  constructor(document: Document, known: KnownIds) {
    this.#document = document;
    this.#known = known;
    this.#ids = mostly(
      4,
      fc.constantFrom(...known.own),
      fc.constantFrom(...known.foreign, ...spoilt(known.own)),
    );
  }

  of(schema: Schema, depth = 0): fc.Arbitrary<unknown> {
    return mostly<unknown>(11, this.#sound(schema, depth), this.#odd());
  }

  #odd(): fc.Arbitrary<unknown> {
    return fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom<unknown>(...LEAVES) },
      { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3, noUnicodeString: false } as never) },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 300 }) },
      { weight: 1, arbitrary: this.#ids },
    );
  }

  #sound(schema: Schema, depth: number): fc.Arbitrary<unknown> {
    if (typeof schema.$ref === "string") {
      const name = schema.$ref.replace("#/components/schemas/", "");
      return this.#sound(this.#document.components.schemas[name] ?? {}, depth);
    }
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]));
    const choices = (schema.anyOf ?? schema.oneOf ?? schema.allOf) as readonly Schema[] | undefined;
    if (choices !== undefined) return fc.oneof(...choices.map((choice) => this.#sound(choice, depth)));
    const type = [schema.type].flat().find((name) => name !== "null");
    if (depth > 5) return fc.constant(null);
    switch (type) {
      case "boolean":
        return fc.boolean();
      case "integer":
      case "number":
        return boundaries(schema);
      case "array":
        return fc.array(this.of((schema.items ?? {}) as Schema, depth + 1), { maxLength: 3 });
      case "object":
        return this.#object(schema, depth);
      default:
        return this.#text(schema);
    }
  }

  #object(schema: Schema, depth: number): fc.Arbitrary<object> {
    const named = Object.entries((schema.properties ?? {}) as Record<string, Schema>);
    const required = (schema.required ?? []) as readonly string[];
    const members = Object.fromEntries(named.map(([name, member]) => [name, this.of(member, depth + 1)]));
    const requiredKeys = named.map(([name]) => name).filter((name) => required.includes(name));
    const usual = fc.record(members, { requiredKeys });
    const short = fc.record(members, { requiredKeys: [] });
    const strange = fc.tuple(usual, fc.dictionary(fc.constantFrom(...NAMES), this.#odd(), { maxKeys: 3 }));
    return fc.oneof(
      { weight: 10, arbitrary: usual },
      { weight: 1, arbitrary: short },
      { weight: 2, arbitrary: strange.map(([object, more]) => ({ ...object, ...more })) },
    );
  }

  /** What is there of the kind that the schema's description names: that is how a client learns it too. */
  #meant(schema: Schema): fc.Arbitrary<string> | undefined {
    const description = String(schema.description ?? "");
    const kind = PREFIX_OF[/^Id of an? ([a-z ]+)\./.exec(description)?.[1] ?? ""];
    const ids = this.#known.own.filter((id) => kind !== undefined && id.startsWith(kind));
    if (ids.length > 0) return fc.constantFrom(...ids);
    if (/return URL/.test(description)) return fc.constant(this.#known.returnUrl);
    return /library id/.test(description) ? fc.constant("ACTIVE") : undefined;
  }

  #text(schema: Schema): fc.Arbitrary<string> {
    const { returnUrl } = this.#known;
    const meant = this.#meant(schema);
    const usual = fc.constantFrom(
      "u-amelia",
      "u-1",
      "ACTIVE",
      "dms",
      "token-broker",
      returnUrl,
      "https://dms.firm.example",
    );
    return fc.oneof(
      ...(meant === undefined ? [] : [{ weight: 30, arbitrary: meant }]),
      { weight: 3, arbitrary: this.#ids },
      { weight: 4, arbitrary: usual },
      { weight: 1, arbitrary: sized(schema) },
    );
  }

  /** Of a path: what is no single segment is encoded, as a client would; some is left as it is. */
  segment(schema: Schema): fc.Arbitrary<string> {
    const ids = fc.oneof(
      { weight: 8, arbitrary: this.#ids },
      { weight: 16, arbitrary: this.#sound(schema, 0).map((value) => encoded(String(value))) },
      { weight: 2, arbitrary: fc.constantFrom(...SEGMENTS) },
      { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 40 }).map(encoded) },
    );
    return ids.map((text) => (/^[\x21-\x7e]*$/.test(text) ? text.replaceAll(/[?#]/g, "") : encoded(text)));
  }

  query(parameters: Operation["parameters"]): fc.Arbitrary<string> {
    const asked = fc.tuple(
      ...parameters.map(({ name, schema, required }) =>
        fc.option(
          (name === "wait" ? SHORT_WAITS : this.of(schema)).map((value) => pair(name, value)),
          { nil: "", freq: required ? 20 : 2 },
        ),
      ),
    );
    const strange = mostly(
      7,
      fc.constant<string[]>([]),
      fc.array(
        fc.oneof(
          fc.constantFrom(...QUERIES),
          fc.tuple(fc.constantFrom(...NAMES), this.#odd()).map(([name, value]) => pair(name, value)),
        ),
        { maxLength: 3 },
      ),
    );
    return fc
      .tuple(asked, strange, fc.nat(30))
      .map(([usual, odd, n]) =>
        [...usual, ...odd, ...(n === 0 ? usual : [])].filter((text) => text !== "").join("&"),
      );
  }

  formText(schema: Schema): fc.Arbitrary<string> {
    const form = this.of(schema).map((value) =>
      typeof value === "object" && value !== null
        ? Object.entries(value)
            .map(([name, member]) => pair(name, member))
            .join("&")
        : String(value).toWellFormed(),
    );
    return mostly(
      8,
      form,
      fc.tuple(form, fc.constantFrom(...QUERIES)).map(([a, b]) => `${a}&${b}&${a}`),
    );
  }

  bodyText(schema: Schema): fc.Arbitrary<string> {
    const json = this.of(schema).map((value) => JSON.stringify(value) ?? "");
    return fc.oneof(
      { weight: 16, arbitrary: json },
      // JSON.parse makes it an own member, and a careless merge a prototype.
      {
        weight: 3,
        arbitrary: fc
          .tuple(json, fc.constantFrom(...POLLUTION))
          .map(([text, members]) => text.replace("{", `{${members},`)),
      },
      // A member that stands twice.
      { weight: 1, arbitrary: fc.tuple(json, json).map(([a, b]) => a.replace(/\}$/, `,${b.slice(1)}`)) },
      {
        weight: 1,
        arbitrary: fc.tuple(json, fc.nat()).map(([text, n]) => text.slice(0, n % (text.length + 1))),
      },
      { weight: 2, arbitrary: fc.constantFrom(...TEXTS) },
    );
  }
}

/** On the edges that the schema draws, and one beyond. */
function boundaries(schema: Schema): fc.Arbitrary<number> {
  const edges = [schema.minimum, schema.maximum, schema.exclusiveMinimum, schema.exclusiveMaximum].filter(
    (edge): edge is number => typeof edge === "number",
  );
  const near = edges.flatMap((edge) => [edge - 1, edge, edge + 1]);
  return fc.oneof(fc.constantFrom(0, 1, 60, ...near), fc.integer({ min: 0, max: 100 }));
}

function sized(schema: Schema): fc.Arbitrary<string> {
  const [least, most] = [Number(schema.minLength ?? 0), Math.min(Number(schema.maxLength ?? 300), 5_000)];
  return fc
    .constantFrom(...[least - 1, least, most, most + 1].filter((n) => n >= 0))
    .map((n) => "x".repeat(n));
}

/** Ids that were real: another kind's letters, another case, one letter more, less or changed. */
const spoilt = (ids: readonly string[]): readonly string[] =>
  ids.flatMap((id) => [
    id.toUpperCase(),
    `${id}a`,
    id.slice(0, -1),
    id.replace(/.$/, (last) => (last === "0" ? "1" : "0")),
    id.replace(/^[a-z]{3}_/, "grt_"),
    id.replace(/^[a-z]{3}_/, "org_"),
    `${id}\u0000`,
    ` ${id}`,
  ]);

const encoded = (text: string): string => encodeURIComponent(text.toWellFormed());
const pair = (name: string, value: unknown): string =>
  `${encoded(name)}=${encoded(typeof value === "object" ? (JSON.stringify(value) ?? "") : String(value))}`;

const PREFIX_OF: Readonly<Record<string, string>> = {
  organisation: "org_",
  server: "srv_",
  registration: "reg_",
  grant: "grt_",
  client: "cli_",
  sync: "syn_",
  "connect session": "cns_",
};

const JSON_TYPE = "application/json";
const FORM = "application/x-www-form-urlencoded";
/** Nobody sleeps: a long poll of twenty seconds is one that nothing is learnt from. */
const SHORT_WAITS = fc.constantFrom<unknown>(0, "0", -1, 61, 1e9, "x", "", null, "0.5", "__proto__");

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"];
const TYPES = [
  "text/plain",
  "application/json; charset=utf-7",
  "application/json;charset=utf-16",
  "application/json; charset=\u00ff",
  "application/problem+json",
  "application/x-www-form-urlencoded; charset=iso-8859-1",
  "multipart/form-data; boundary=x",
  "application/xml",
  "x",
  "",
  FORM,
  JSON_TYPE,
];
const HEADERS: readonly (readonly [string, string])[] = [
  ["accept", "text/html"],
  ["accept", "*/*;q=0, application/x-ndjson"],
  ["accept", "a".repeat(3_000)],
  ["accept-encoding", "br;q=1, gzip;q=x"],
  ["content-encoding", "gzip"],
  ["content-encoding", "x"],
  ["cookie", "imb-page=x; __proto__=1; imb-page=y"],
  ["expect", "200-ok"],
  ["idempotency-key", ""],
  ["idempotency-key", "k".repeat(256)],
  ["idempotency-key", "same"],
  ["idempotency-key", "\u00ff"],
  ["if-none-match", "*"],
  ["origin", "null"],
  ["range", "bytes=0-0,-1"],
  ["x-forwarded-for", "' OR 1=1"],
  ["x-http-method-override", "DELETE"],
  ["x_forwarded_for", "1"],
];
const NAMES = [
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "toJSON", "then"],
  ...["", "a.b", "a[b]", "a[]", "$ne", "polluted", "id", "v", "organisation", "limit", "server", "subject"],
  "x".repeat(300),
];
const POLLUTION = [
  '"__proto__":{"polluted":true}',
  '"constructor":{"prototype":{"polluted":true}}',
  '"__proto__":null',
  '"__proto__":[],"toString":1,"valueOf":2,"then":3',
];
const QUERIES = [
  ...["%", "%zz", "&&&", "=", "%00=%00", "__proto__[polluted]=1", "__proto__.polluted=1", "limit=1&limit=2"],
  ...[
    "constructor[prototype][polluted]=1",
    "a[0]=1&a[1]=2",
    `${"a=1&".repeat(2_000)}b`,
    "x".repeat(4_000),
    "+",
    "%c0%af",
  ],
];
const SEGMENTS = [
  ...[
    "",
    "..",
    ".",
    "%2e%2e",
    "%2f",
    "%00",
    "%",
    "%zz",
    "__proto__",
    "constructor",
    "a/b",
    "a%2fb",
    "'",
    "%0d%0aX:y",
  ],
  ...["%F0%9F%98%80", "%ed%a0%80", "*", "{id}", ";", "x".repeat(300), "x".repeat(6_000)],
];
const TEXTS = [
  ...[
    "",
    "{",
    "[]",
    "null",
    '"x"',
    "0",
    "true",
    "1e999",
    "{}{}",
    "\ufeff{}",
    "undefined",
    "NaN",
    "{'a':1}",
    "[".repeat(5_000),
  ],
  `{"a":${"[".repeat(900)}${"]".repeat(900)}}`,
  `{"a":${'{"b":'.repeat(5_000)}1${"}".repeat(5_000)}}`,
  "x".repeat(70_000),
  `{"a":"${"\u{1f600}".repeat(16_000)}"}`,
  `{${Array.from({ length: 3_000 }, (_, n) => `"m${n}":0`).join(",")}}`,
];
const LEAVES: readonly Json[] = [
  ...[null, true, false, 0, -1, 1.5, 1e21, Number.MAX_SAFE_INTEGER, 2 ** 53, -(2 ** 31), 1e-7],
  ...[
    "",
    " ",
    "0",
    "-1",
    "1e9",
    "null",
    "true",
    "undefined",
    "NaN",
    "Infinity",
    "[object Object]",
    "user",
    "library",
  ],
  ...["\u0000", "\ud800", "a\udc00b", "\r\nX: y", "\u202e", "\u2028", "\ufeff", "ﬀ", "İ", "😀".repeat(100)],
  ...[
    "x".repeat(257),
    "x".repeat(5_000),
    "../../etc/passwd",
    "{{7*7}}",
    "#{7*7}",
    "%00",
    "*",
    "$ne",
    "' OR '1'='1",
    "<script>",
  ],
  ...[
    "b1:{o:x}:gate",
    "javascript:alert(1)",
    "//evil.example",
    "http://169.254.169.254/",
    "file:///etc/passwd",
  ],
  ...["__proto__", "constructor", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"],
  [],
  {},
  [[]],
  [null],
  { length: 1e9 },
  { id: {} },
  { toString: null },
  JSON.parse('{"then":"x"}') as Json,
];
