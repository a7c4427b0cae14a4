import type { ElfFile } from "./elf.ts";
import { InspectError } from "./errors.ts";

/*
 * Where things are in V8's objects. Most numbers come from the executable itself: V8 exports them for debuggers
 * (tools/gen-postmortem-metadata.py: `v8dbg_…`). What it does not export stands in `versions` below, one entry for
 * each version of V8, with the file of V8 from which it was read. Offsets are in bytes from the beginning of the
 * object, whose tagged address is one more.
 */

/** What differs between versions and is not exported. */
interface VersionLayout {
  /** `PromiseReaction` (src/objects/promise.tq): from 12.x on a field for the continuation-preserved data comes first. */
  readonly reactionFields: number;
  /**
   * Where a reaction keeps the async context in which it was made: V8 has the field from 12 on, Node keeps its
   * contexts there from 24 on.
   */
  readonly contextOfReaction: number | undefined;
  /** `Code::bytecode_or_interpreter_data` (src/objects/code.h), by which baseline code finds its bytecode. */
  readonly codeBytecode: number;
  /** `BytecodeArray::source_position_table` (src/objects/bytecode-array.h). */
  readonly sourcePositions: number;
  /** `ScopeInfo` (src/objects/scope-info.tq): whether the flags are a Smi, and whether the positions come first. */
  readonly areScopeFlagsSmi: boolean;
  readonly arePositionsFirst: boolean;
  /** `ScopeType::MODULE_SCOPE` (src/common/globals.h). */
  readonly moduleScope: number;
  /**
   * `SourceTextModule` (src/objects/module.tq, source-text-module.tq): for whoever asked for its evaluation, its
   * function, and the modules that wait for it.
   */
  readonly module: { readonly capability: number; readonly code: number; readonly parents: number };
  /**
   * From the chunk of 256 KB in which an object is to the heap that owns it: an offset in the chunk's header
   * (src/heap/memory-chunk-layout.h), or, where the header only points to the rest of it, that and an offset there
   * (src/heap/mutable-page-metadata.h).
   */
  readonly heapOfChunk: readonly number[];
  /** In a chunk's header: the flags (src/heap/memory-chunk.h). */
  readonly chunkFlags: number;
  /** In the header, or in the rest of it: the next of the space's chunks (`list_node_`, src/heap/list.h). */
  readonly nextChunk: number;
  /** Where the header points to the rest of it, and that back to the chunk; undefined where the header is whole. */
  readonly metadata: { readonly ofChunk: number; readonly chunk: number } | undefined;
  /** Beside that: the space that owns the chunk (`owner_`). */
  readonly spaceOfChunk: number;
  /** The instance type of a free block (`FREE_SPACE_TYPE`), which is not exported any more. */
  readonly freeSpace: number;
  /** In what a free block counts its size: bytes, or since V8 13 words. */
  readonly freeSpaceUnit: number;
  /** `SourcePositionTableBuilder` (src/codegen/source-position-table.cc): how an entry is packed. */
  readonly positionEntries: "signed" | "flagged";
}

const versions: Readonly<Record<string, VersionLayout>> = {
  "11.3": {
    reactionFields: 8,
    contextOfReaction: undefined,
    codeBytecode: 16,
    sourcePositions: 32,
    areScopeFlagsSmi: true,
    arePositionsFirst: false,
    moduleScope: 3,
    module: { capability: 48, code: 56, parents: 104 },
    heapOfChunk: [16],
    chunkFlags: 8,
    nextChunk: 264,
    metadata: undefined,
    spaceOfChunk: 64,
    freeSpace: 251,
    freeSpaceUnit: 1,
    positionEntries: "signed",
  },
  "12.4": {
    reactionFields: 16,
    contextOfReaction: undefined,
    codeBytecode: 8,
    sourcePositions: 24,
    areScopeFlagsSmi: true,
    arePositionsFirst: false,
    moduleScope: 3,
    module: { capability: 48, code: 56, parents: 104 },
    heapOfChunk: [24],
    chunkFlags: 0,
    nextChunk: 264,
    metadata: undefined,
    spaceOfChunk: 72,
    freeSpace: 260,
    freeSpaceUnit: 1,
    positionEntries: "signed",
  },
  "13.6": {
    reactionFields: 16,
    contextOfReaction: 8,
    codeBytecode: 8,
    sourcePositions: 24,
    areScopeFlagsSmi: false,
    arePositionsFirst: true,
    moduleScope: 5,
    module: { capability: 48, code: 56, parents: 104 },
    heapOfChunk: [8, 64],
    chunkFlags: 0,
    nextChunk: 264,
    metadata: { ofChunk: 8, chunk: 8 },
    spaceOfChunk: 80,
    freeSpace: 268,
    freeSpaceUnit: 8,
    positionEntries: "signed",
  },
  "14.6": {
    reactionFields: 16,
    contextOfReaction: 8,
    codeBytecode: 8,
    sourcePositions: 24,
    areScopeFlagsSmi: false,
    arePositionsFirst: true,
    moduleScope: 5,
    module: { capability: 56, code: 64, parents: 112 },
    heapOfChunk: [8, 64],
    chunkFlags: 0,
    nextChunk: 256,
    metadata: { ofChunk: 8, chunk: 8 },
    spaceOfChunk: 80,
    freeSpace: 273,
    freeSpaceUnit: 8,
    positionEntries: "flagged",
  },
};

/** Instance types: the number at `Map` + 12 that says what an object is. */
interface Types {
  readonly asyncFunction: number;
  readonly asyncGenerator: number;
  readonly promise: number;
  readonly reaction: number;
  readonly capability: number;
  readonly map: number;
  readonly sharedFunction: number;
  readonly scopeInfo: number;
  readonly bytecode: number;
  readonly code: number;
  readonly interpreterData: number;
  readonly script: number;
  readonly module: number;
  readonly request: number;
  /** Before V8 12 a list is an array like any other. */
  readonly arrayList: number;
  readonly byteArrays: readonly number[];
  readonly contexts: readonly [first: number, last: number];
  readonly functions: readonly [first: number, last: number];
}

/** Offsets of fields that are exported. */
interface Fields {
  readonly functionShared: number;
  readonly functionContext: number;
  readonly sharedScript: number;
  readonly sharedName: number;
  readonly scriptName: number;
  readonly scriptSource: number;
  readonly bytecodeStart: number;
  readonly mapInstanceType: number;
}

export interface Layout extends VersionLayout {
  /** Where the first entry of a `DescriptorArray` is. */
  readonly descriptors: number;
  readonly types: Types;
  readonly fields: Fields;
}

/**
 * Finds the layout of a V8. Throws `InspectError` for one that is not in the table, and for an executable without
 * V8's symbols.
 */
export function layoutOf(elf: ElfFile, v8: string): Layout {
  const [major, minor] = v8.split(".");
  const version = versions[`${major}.${minor}`];
  if (version === undefined)
    throw new InspectError(
      "HF_UNKNOWN_V8",
      `V8 ${v8} is not known: this version of holdfast reads V8 ${Object.keys(versions).join(", ")}`,
    );
  const need = (...names: string[]): number => {
    const value = optional(...names);
    if (value !== undefined) return value;
    throw new InspectError("HF_UNKNOWN_V8", `the executable does not say where V8 keeps ${names[0]}`);
  };
  const optional = (...names: string[]): number | undefined => {
    for (const name of names) {
      const value = elf.constant(`v8dbg_${name}`);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  const function_ = need("type_JSFunction__JS_FUNCTION_TYPE");
  const byteArray = need("type_ByteArray__BYTE_ARRAY_TYPE");
  const types: Types = {
    asyncFunction: need("type_JSAsyncFunctionObject__JS_ASYNC_FUNCTION_OBJECT_TYPE"),
    asyncGenerator: need("type_JSAsyncGeneratorObject__JS_ASYNC_GENERATOR_OBJECT_TYPE"),
    promise: need("type_JSPromise__JS_PROMISE_TYPE"),
    reaction: need("type_PromiseReaction__PROMISE_REACTION_TYPE"),
    capability: need("type_PromiseCapability__PROMISE_CAPABILITY_TYPE"),
    map: need("type_Map__MAP_TYPE"),
    sharedFunction: need("type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE"),
    scopeInfo: need("type_ScopeInfo__SCOPE_INFO_TYPE"),
    bytecode: need("type_BytecodeArray__BYTECODE_ARRAY_TYPE"),
    code: need("type_Code__CODE_TYPE"),
    interpreterData: need("type_InterpreterData__INTERPRETER_DATA_TYPE"),
    script: need("type_Script__SCRIPT_TYPE"),
    module: need("type_SourceTextModule__SOURCE_TEXT_MODULE_TYPE"),
    request: need("type_AsyncGeneratorRequest__ASYNC_GENERATOR_REQUEST_TYPE"),
    arrayList: need("type_ArrayList__ARRAY_LIST_TYPE", "type_FixedArray__FIXED_ARRAY_TYPE"),
    byteArrays: [byteArray, optional("type_TrustedByteArray__TRUSTED_BYTE_ARRAY_TYPE") ?? byteArray],
    contexts: [need("FirstContextType"), need("LastContextType")],
    functions: [optional("FirstJSFunctionType") ?? function_, optional("LastJSFunctionType") ?? function_],
  };
  const fields: Fields = {
    functionShared: need("class_JSFunction__shared__SharedFunctionInfo"),
    functionContext: need("class_JSFunction__context__Context"),
    sharedScript: need(
      "class_SharedFunctionInfo__raw_script__Tagged_Object_",
      "class_SharedFunctionInfo__raw_script__Object",
      "class_SharedFunctionInfo__script_or_debug_info__HeapObject",
      "class_SharedFunctionInfo__script__Object",
    ),
    sharedName: need(
      "class_SharedFunctionInfo__name_or_scope_info__Tagged_NameOrScopeInfoT_",
      "class_SharedFunctionInfo__name_or_scope_info__Tagged_Object_",
      "class_SharedFunctionInfo__name_or_scope_info__Object",
    ),
    scriptName: need("class_Script__name__Object"),
    scriptSource: need("class_Script__source__Object"),
    bytecodeStart: need("class_BytecodeArray__data__uintptr_t"),
    mapInstanceType: need("class_Map__instance_type__uint16_t"),
  };
  return { ...version, types, fields, descriptors: need("class_DescriptorArray__header_size__uintptr_t") };
}
