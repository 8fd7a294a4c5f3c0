import { describeCatalogue } from "../kit/promise.ts";
import { faults } from "./catalogue.ts";

describeCatalogue(faults);
