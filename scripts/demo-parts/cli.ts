import { execFile } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../checks.ts";
import { Sentence } from "./sentence.ts";

/** The operator's CLI, as he runs it. @throws Sentence with what it complained about */
export function cli(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const words = [join(ROOT, "src/main/cli.ts"), ...args];
    execFile(process.execPath, words, { env, cwd: process.cwd() }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Sentence(stderr.trimEnd() || `cli ${args.join(" ")} failed without a word`));
    });
  });
}

/** What `cli apply --json` prints. */
export interface Applied {
  readonly organisations: Readonly<Record<string, string>>;
  readonly servers: Readonly<
    Record<string, { readonly id: string; readonly registration: string; readonly redirect_uri: string }>
  >;
  readonly clients: Readonly<Record<string, string>>;
  readonly new_client_secrets: readonly {
    readonly client: string;
    readonly client_id: string;
    readonly client_secret: string;
  }[];
}

export async function apply(file: string, env: NodeJS.ProcessEnv): Promise<Applied> {
  return JSON.parse(await cli(["apply", file, "--json"], env)) as Applied;
}
