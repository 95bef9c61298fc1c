import { signup } from "../../../lib/signup";

/**
 * Passes the form, the policy and the challenge on to the service, and its problems back. The service counts by the
 * visitor's address. `x-real-ip` is set by the platform: never take a header that visitors can set.
 */
const forward = (request: Request) =>
  signup.forward(request, { clientAddress: request.headers.get("x-real-ip") ?? undefined });

export { forward as GET, forward as POST };
