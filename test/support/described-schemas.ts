import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { Schema } from "../../src/adapters/http/description/components.ts";

/** Checks a value by a schema of an OpenAPI document, whose references lead into the document. */
export function checkOf(document: Schema, schema: object): ValidateFunction {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const { schemas } = document.components as { schemas: object };
  const text = JSON.stringify({ ...schema, $defs: schemas });
  return ajv.compile(JSON.parse(text.replaceAll("#/components/schemas/", "#/$defs/")));
}
