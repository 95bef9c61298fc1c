import type { NextRequest } from "next/server";

import { auth0 } from "./lib/auth0";

/** Handles /auth/login, /auth/callback and /auth/logout. */
export const proxy = (request: NextRequest) => auth0.middleware(request);

export const config = { matcher: ["/", "/auth/:path*"] };
