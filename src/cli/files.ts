import { readFileSync } from "node:fs";
import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { CertificateReader, FileReaders } from "../broker/organisations/desired-configuration.ts";
import type { SecretSource } from "../broker/organisations/read-secrets.ts";
import { Secret } from "../domain/secret.ts";
import { ExpectedFault } from "./expected-fault.ts";

/** Reads a file an operator named. */
export async function readNamedFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new ExpectedFault(`${path} cannot be read: ${reasonOf(error)}.`);
  }
}

/** Writes what an operator asked for, over what was there. Nothing secret: it gets the usual mode. */
export async function writeNamedFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes);
  } catch (error) {
    throw new ExpectedFault(`${path} cannot be written: ${reasonOf(error)}.`);
  }
}

/** Writes a new file that only its owner may read. One that is there already is never touched. */
export async function createSecretFile(path: string, secret: Secret): Promise<void> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(`${secret.reveal().trimEnd()}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    const there = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw new ExpectedFault(
      there
        ? `${path} is there already and is not overwritten: whatever is sealed with it would never open again. Name another file.`
        : `${path} cannot be written: ${reasonOf(error)}.`,
    );
  }
}

/** Puts another text into a file of secrets, all or nothing: whoever reads it meanwhile reads one or the other. */
export async function replaceSecretFile(path: string, secret: Secret): Promise<void> {
  const beside = `${path}.new`;
  await rm(beside, { force: true }).catch(() => {});
  await createSecretFile(beside, secret);
  try {
    await rename(beside, path);
  } catch (error) {
    throw new ExpectedFault(`${path} cannot be replaced by ${beside}: ${reasonOf(error)}.`);
  }
}

/** Reads the secrets a configuration file points at. Paths are relative to that file. */
export function secretSource(
  configurationFile: string,
  environment: (name: string) => string | undefined,
): SecretSource {
  return {
    async read(reference) {
      if ("env" in reference) {
        const value = environment(reference.env)?.trim();
        return value === undefined || value === ""
          ? { fault: `the environment variable ${reference.env} is not set` }
          : oneLine(value, `the environment variable ${reference.env}`);
      }
      const path = resolve(dirname(configurationFile), reference.file);
      try {
        return oneLine((await readFile(path, "utf8")).trim(), path);
      } catch (error) {
        return { fault: `${path} cannot be read: ${reasonOf(error)}` };
      }
    },
  };
}

/** Reads the certificates and keys a configuration file holds or points at. Paths are relative to that file. */
export function fileReaders(configurationFile: string, pem: CertificateReader): FileReaders {
  return {
    pem,
    file(name) {
      const path = resolve(dirname(configurationFile), name);
      try {
        return pem(readFileSync(path, "utf8"));
      } catch (error) {
        return { fault: `names ${path}, which cannot be read: ${reasonOf(error)}` };
      }
    },
    json(name) {
      const path = resolve(dirname(configurationFile), name);
      try {
        // The parser's message quotes the file, and a private key may stand in it.
        const text = readFileSync(path, "utf8");
        return parseJson(text) ?? { fault: `names ${path}, which is no JSON` };
      } catch (error) {
        return { fault: `names ${path}, which cannot be read: ${reasonOf(error)}` };
      }
    },
  };
}

function parseJson(text: string): { readonly document: unknown } | undefined {
  try {
    return { document: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function oneLine(value: string, source: string): Secret | { readonly fault: string } {
  if (value === "") return { fault: `${source} is empty` };
  return /[\r\n]/.test(value) ? { fault: `${source} holds more than one line` } : new Secret(value);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission is denied",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is no folder",
  EROFS: "the disk is read-only",
};

/** What the system said, in words. */
export const reasonOf = (error: unknown): string => {
  const { code } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? code ?? "for an unknown reason";
};
