// Loads extras.js when it is wanted. The file that the service serves has served-extras.js in its place.

import { within } from "./request.js";

/** Returns the module with the extras. */
export const loadExtras = () => within(10_000, import("./extras.js"));
