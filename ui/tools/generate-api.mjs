// Generates the page's API client from the OpenAPI document: an interface for each schema, a
// function for each operation. Usage: node generate-api.mjs openapi.json out.ts
import { readFileSync, writeFileSync } from "node:fs";

const [from, to] = process.argv.slice(2);
const document = JSON.parse(readFileSync(from, "utf8"));
const schemas = document.components.schemas;

const nameOf = (reference) => reference.split("/").pop();
const keyOf = (name) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));
const comment = (text, indent) => (text ? `${indent}/** ${text.replaceAll("*/", "* /")} */\n` : "");

function objectOf(schema, indent) {
  const inner = indent + "  ";
  const required = new Set(schema.required ?? []);
  const members = Object.entries(schema.properties ?? {}).map(([name, member]) => {
    const mark = required.has(name) ? "" : "?";
    return `${comment(member.description, inner)}${inner}${keyOf(name)}${mark}: ${typeOf(member, inner)};\n`;
  });
  const more = schema.additionalProperties;
  if (more)
    members.push(`${inner}[key: string]: ${more === true ? "unknown" : typeOf(more, inner)};\n`);
  return members.length ? `{\n${members.join("")}${indent}}` : "Record<string, unknown>";
}

function oneType(type, schema, indent) {
  if (type === "object") return objectOf(schema, indent);
  if (type === "array") return `${wrap(typeOf(schema.items ?? {}, indent))}[]`;
  if (type === "integer" || type === "number") return "number";
  if (type === "string" || type === "boolean" || type === "null") return type;
  throw new Error(`no TypeScript for the type ${type}`);
}

const wrap = (text) => (/^[\w.]+$/.test(text) ? text : `(${text})`);

function typeOf(schema, indent = "") {
  if (schema === true) return "unknown";
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const several = schema.oneOf ?? schema.anyOf;
  if (several) return several.map((one) => typeOf(one, indent)).join(" | ");
  if (schema.allOf) return schema.allOf.map((one) => typeOf(one, indent)).join(" & ");
  if (schema.type === undefined) return "unknown";
  return [schema.type].flat().map((type) => oneType(type, schema, indent)).join(" | ");
}

function parametersOf(operation, place) {
  return (operation.parameters ?? []).filter((parameter) => parameter.in === place);
}

/** The answer's type, and how it is read. */
function answerOf(operation) {
  const content = operation.responses["2XX"]?.content ?? operation.responses["200"]?.content;
  if (!content) return ["void", "nothing"];
  const json = content["application/json"];
  if (json) return [json.schema ? typeOf(json.schema) : "unknown", "json"];
  return ["string", "text"];
}

function bodyOf(operation) {
  const content = operation.requestBody?.content;
  if (!content) return null;
  const [media, { schema }] = Object.entries(content)[0];
  if (media === "multipart/form-data") return { type: "FormData", media: null };
  if (media === "application/json")
    return { type: schema && Object.keys(schema).length ? typeOf(schema) : "unknown", media };
  return { type: "string", media };
}

function operationOf(path, method, operation) {
  const body = bodyOf(operation);
  const queries = parametersOf(operation, "query");
  const [answer, reading] = answerOf(operation);
  const params = parametersOf(operation, "path").map((parameter) => `${parameter.name}: string`);
  if (body) params.push(`body: ${body.type}`);
  const query = queries
    .map((one) => `${comment(one.description, "    ")}    ${keyOf(one.name)}?: ${typeOf(one.schema)};\n`)
    .join("");
  if (queries.length) params.push(`query: {\n${query}  } = {}`);
  params.push("options: CallOptions = {}");
  const address = path
    .replace(/^\/api\/v1\//, "")
    .replace(/\{(\w+)(\.\.\.)?\}/g, (_, name, rest) => `\${${rest ? "encodePath" : "encodeURIComponent"}(${name})}`);
  const what = [`method: "${method.toUpperCase()}"`, `path: \`${address}\``, `reading: "${reading}"`];
  if (queries.length) what.push("query");
  if (body) what.push("body");
  if (body?.media) what.push(`media: "${body.media}"`);
  return (
    `${comment(operation.summary, "")}export function ${operation.operationId}(${params.join(", ")}): ` +
    `Promise<${answer}> {\n  return call<${answer}>({ ${what.join(", ")} }, options);\n}\n`
  );
}

let out =
  "// Made by ui/tools/generate-api.mjs from the OpenAPI document. Do not edit.\n" +
  'import { call, type CallOptions } from "./call";\n\n';
for (const [name, schema] of Object.entries(schemas)) {
  const type = typeOf(schema);
  out += type.startsWith("{")
    ? `export interface ${name} ${type}\n\n`
    : `export type ${name} = ${type};\n\n`;
}
let usesPath = false;
const functions = [];
for (const [path, methods] of Object.entries(document.paths)) {
  if (!path.startsWith("/api/v1/")) continue;
  for (const [method, operation] of Object.entries(methods)) {
    functions.push(operationOf(path, method, operation));
    usesPath ||= functions.at(-1).includes("encodePath(");
  }
}
if (usesPath)
  out += 'const encodePath = (path: string) => path.split("/").map(encodeURIComponent).join("/");\n\n';
out += functions.join("\n");
writeFileSync(to, out);
