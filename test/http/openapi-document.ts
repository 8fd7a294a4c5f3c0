import { openApiDocument } from "../../src/http/openapi.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type Schema = { readonly [keyword: string]: Json };

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly parameters: readonly {
    readonly in: string;
    readonly name: string;
    readonly required?: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
      }
    >
  >;
}

/** The document as a client reads it: text, parsed. */
export interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly servers: readonly { readonly url: string }[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Omit<Operation, "method" | "path">>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes: Readonly<Record<string, Schema>>;
  };
}

export const documentOf = (base: string): Document =>
  JSON.parse(JSON.stringify(openApiDocument(base))) as Document;

export const operationsOf = (document: Document): readonly Operation[] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      method,
      path,
      ...operation,
      parameters: operation.parameters ?? [],
    })),
  );

/** The codes that an operation says it may answer with a status. */
export const codesOf = (operation: Operation, status: number | string): readonly string[] =>
  [...(operation.responses[status]?.description ?? "").matchAll(/^`(\w+)`:/gm)].map(([, code]) => code!);

/**
 * Holds a value against a schema of the document: the few keywords it uses, and one thing more. A member that no schema
 * names is a fault too, since nobody could know of it.
 */
export function faultsOf(document: Document, schema: Schema, value: Json, at = "answer"): readonly string[] {
  if (typeof schema.$ref === "string") {
    const name = schema.$ref.replace("#/components/schemas/", "");
    return faultsOf(document, document.components.schemas[name] ?? {}, value, at);
  }
  const choices = (schema.anyOf ?? schema.oneOf) as readonly Schema[] | undefined;
  if (choices !== undefined) {
    const tried = choices.map((choice) => faultsOf(document, choice, value, at));
    return tried.some((faults) => faults.length === 0) ? [] : tried.flat();
  }
  const faults: string[] = [];
  const types = [schema.type].flat().filter((type) => typeof type === "string");
  if (types.length > 0 && !types.some((type) => isOfType(type, value)))
    return [`${at} is not ${types.join(" or ")}`];
  if (schema.const !== undefined && schema.const !== value)
    faults.push(`${at} is not ${String(schema.const)}`);
  if (Array.isArray(schema.enum) && !schema.enum.includes(value))
    faults.push(`${at} is none of ${schema.enum.join(", ")}`);
  if (
    schema.format === "date-time" &&
    value !== null &&
    !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(String(value))
  )
    faults.push(`${at} is not a time`);
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      faults.push(...faultsOf(document, (schema.items ?? {}) as Schema, item as Json, `${at}[${index}]`));
    }
  } else if (typeof value === "object" && value !== null) {
    const named = (schema.properties ?? {}) as Readonly<Record<string, Schema>>;
    for (const name of (schema.required ?? []) as readonly string[]) {
      if (!Object.hasOwn(value, name)) faults.push(`${at}.${name} is missing`);
    }
    for (const [name, member] of Object.entries(value as Record<string, Json>)) {
      const of = named[name] ?? (schema.additionalProperties as Schema | undefined);
      if (of === undefined) faults.push(`${at}.${name} is not documented`);
      else faults.push(...faultsOf(document, of, member, `${at}.${name}`));
    }
  }
  return faults;
}

function isOfType(type: string, value: Json): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "integer":
      return Number.isInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}

/** Every schema in the document, wherever it stands, with where. */
export function everySchema(
  document: Document,
): readonly { readonly at: string; readonly schema: Schema; readonly answer: boolean }[] {
  const found: { at: string; schema: Schema; answer: boolean }[] = [];
  const walk = (schema: Schema, at: string, answer: boolean): void => {
    found.push({ at, schema, answer });
    for (const [name, member] of Object.entries((schema.properties ?? {}) as Record<string, Schema>))
      walk(member, `${at}.${name}`, answer);
    for (const keyword of ["items", "additionalProperties", "propertyNames"]) {
      const inner = schema[keyword];
      if (typeof inner === "object" && inner !== null) walk(inner as Schema, `${at}/${keyword}`, answer);
    }
    for (const keyword of ["anyOf", "oneOf", "allOf"]) {
      for (const [index, choice] of ((schema[keyword] ?? []) as readonly Schema[]).entries())
        walk(choice, `${at}/${keyword}${index}`, answer);
    }
  };
  for (const operation of operationsOf(document)) {
    for (const parameter of operation.parameters)
      walk(parameter.schema, `${operation.operationId}?${parameter.name}`, false);
    for (const { schema } of Object.values(operation.requestBody?.content ?? {}))
      walk(schema, operation.operationId, false);
    for (const [status, { content }] of Object.entries(operation.responses)) {
      for (const { schema } of Object.values(content ?? {}))
        walk(schema, `${operation.operationId} ${status}`, true);
    }
  }
  // `UserSubject` and `LibrarySubject` are what clients send; every other component is what they get.
  for (const [name, schema] of Object.entries(document.components.schemas))
    walk(schema, name, !name.endsWith("Subject"));
  return found;
}
