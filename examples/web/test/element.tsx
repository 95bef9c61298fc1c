// The element in TSX. Checked, not run.

import "auth0-signup/element";
import type {} from "auth0-signup/react";

export const join = <auth0-signup url="https://x.example/signup" success="/login" lang="de" className="join" />;

// @ts-expect-error the address is required
export const nowhere = <auth0-signup />;
