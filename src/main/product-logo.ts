import { type Settings, SettingsError } from "../config/settings.ts";
import { type Logo, LogoFault, readLogo } from "../ops/logo.ts";

/** The logo that the settings name, looked at before anything starts. */
export async function productLogo({ PRODUCT_LOGO_FILE: file }: Settings): Promise<Logo | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readLogo(file);
  } catch (error) {
    if (!(error instanceof LogoFault)) throw error;
    throw new SettingsError([{ setting: "PRODUCT_LOGO_FILE", message: error.message }]);
  }
}
