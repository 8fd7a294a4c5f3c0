import { buildCli, type CliDeps } from "../../src/cli/build-cli.ts";

/** What a command says, and how it ends. */
export function earsOfCli() {
  const said = { out: "", err: "", code: 0 };
  const ears: Pick<CliDeps, "write" | "complain" | "setExitCode"> = {
    write: (text) => {
      said.out += text;
    },
    complain: (text) => {
      said.err += text;
    },
    setExitCode: (code) => {
      said.code = code;
    },
  };
  return { said, ears };
}

/** One command, on as much of a program as it needs. */
export async function runCli(deps: Partial<CliDeps>, args: readonly string[]) {
  const { said, ears } = earsOfCli();
  await buildCli({ ...ears, ...deps } as CliDeps).parseAsync(args, { from: "user" });
  return said;
}
