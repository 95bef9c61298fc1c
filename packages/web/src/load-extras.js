// Loads extras.js when it is wanted. The file that the service serves has served-extras.js in its place.

/** Returns the module with the extras. */
export const loadExtras = () => import("./extras.js");
