// The part of Auth0's CreateUserRequestContent that a form can fill, and the results of three
// versions of z-schema for it.

import ZSchemaToday from "z-schema";
import ZSchema2019 from "z-schema-2019";
import ZSchemaNewest from "z-schema-newest";
import errors from "z-schema-errors";

const text = (minLength, maxLength) => ({ type: "string", minLength, maxLength });

const SCHEMA = {
  type: "object",
  additionalProperties: false,
  required: ["connection"],
  properties: {
    connection: { type: "string", minLength: 1 },
    email: { type: "string", format: "email" },
    given_name: text(1, 150),
    family_name: text(1, 150),
    name: text(1, 300),
    nickname: text(1, 300),
    picture: { type: "string", format: "strict-uri" },
    username: text(1, 128),
    phone_number: { type: "string", pattern: "^\\+[0-9]{1,15}$" },
  },
};

const reporter = errors.init({ contextMessage: "Payload validation error:" });

/** Returns whether a create-user body with that one field passes. A rejection must name the field. */
function accepts(validator, field, value) {
  if (validator.validate({ connection: "c", [field]: value }, SCHEMA)) {
    return true;
  }
  const message = reporter.extractMessage({ report: { errors: validator.getLastErrors() } });
  if (!message.includes(`on property ${field}`)) {
    throw new Error(`rejected for another reason: ${message}`);
  }
  return false;
}

/** z-schema 6 with validator 13.15: the source of the vectors. */
const today = new ZSchemaToday();
export const isAccepted = (field, value) => accepts(today, field, value);

/** z-schema 3 with validator 10: the versions behind the recordings of 2018 and 2019. */
const in2019 = new ZSchema2019();
export const wasAcceptedIn2019 = (field, value) => accepts(in2019, field, value);

/** z-schema 12, whose rule for e-mail addresses differs from that of every earlier version. */
const newest = ZSchemaNewest.create({ safe: true });
export const isAcceptedByNewest = (field, value) =>
  newest.validate({ connection: "c", [field]: value }, { ...SCHEMA }).valid;
