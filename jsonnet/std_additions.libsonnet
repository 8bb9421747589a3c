// What the standard library has in go-jsonnet up to 0.22, and in libjsonnet 0.18 has not. This is
// added to std in front of every normaliser. What only deals with numbers and strings is in
// std_natives.c: comparing two strings takes microseconds there, and milliseconds here.
//
// Errors say `std: ` and one of the words that complaint.c knows. They name no value.
local native(name) = std.native('std_' + name);

// std.isArray() and the like would compare with ==, which is ten times slower.
local is(value, type) = std.primitiveEquals(std.type(value), type);
local wrong = function(_) error 'std: wrong type';
local array(value) = if is(value, 'array') then value else wrong(value);
local boolean(value) = if is(value, 'boolean') then value else wrong(value);
local number(value) = if is(value, 'number') then value else wrong(value);
local string(value) = if is(value, 'string') then value else wrong(value);
local empty = function() error 'std: empty array';

// The index of the first element from i on for which found() is true, or the length.
local find_from(arr, found, i) =
  if i < std.length(arr) && !found(arr[i]) then find_from(arr, found, i + 1) tailstrict else i;
local find(arr, found) = find_from(array(arr), found, 0);
local is_found(arr, found) = find(arr, found) < std.length(arr);

local remove_at(arr, idx) =
  [array(arr)[i] for i in std.range(0, std.length(arr) - 1) if i != idx];

local sum(arr) = std.foldl(function(total, value) total + number(value), array(arr), 0);

// The element whose key is the best; better(order) looks at what std.__compare() says of a key
// and the best so far.
local best(arr, keyF, onEmpty, better) =
  local from(i, index, key) =
    if i < std.length(arr) then
      local this = keyF(arr[i]);
      if better(std.__compare(this, key)) then from(i + 1, i, this) tailstrict
      else from(i + 1, index, key) tailstrict
    else arr[index];
  if std.length(array(arr)) > 0 then from(1, 0, keyF(arr[0])) else onEmpty;

local flatten(value) =
  if is(value, 'array') then [leaf for element in value for leaf in flatten(element)] else [value];

// Fields that are hidden stay so.
local remove_key(obj, key) =
  local hidden = [
    name
    for name in std.objectFieldsAll(obj)
    if !std.primitiveEquals(name, string(key)) && !std.objectHas(obj, name)
  ];
  local shown = {
    [name]: obj[name]
    for name in std.objectFields(obj)
    if !std.primitiveEquals(name, string(key))
  };
  std.foldl(function(kept, name) kept { [name]:: obj[name] }, hidden, shown);

{
  all(arr):: !is_found(arr, function(value) !boolean(value)),
  any(arr):: is_found(arr, boolean),
  contains(arr, elem):: is_found(arr, function(value) value == elem),
  remove(arr, elem):: remove_at(arr, find(arr, function(value) value == elem)),
  removeAt(arr, idx)::
    if native('isDecimal')(idx) then error 'std: no integer' else remove_at(arr, idx),
  flattenDeepArray(value):: flatten(value),
  sum(arr):: sum(arr),
  avg(arr):: if std.length(array(arr)) > 0 then sum(arr) / std.length(arr) else empty(),
  minArray(arr, keyF=function(x) x, onEmpty=empty())::
    best(arr, keyF, onEmpty, function(order) order < 0),
  maxArray(arr, keyF=function(x) x, onEmpty=empty())::
    best(arr, keyF, onEmpty, function(order) order > 0),

  objectKeysValues(o):: [{ key: name, value: o[name] } for name in std.objectFields(o)],
  objectKeysValuesAll(o):: [{ key: name, value: o[name] } for name in std.objectFieldsAll(o)],
  objectRemoveKey(obj, key):: remove_key(obj, key),

  id(x):: x,
  isNull(v):: is(v, 'null'),

  // libjsonnet 0.18 has these two, but for separators of a single character.
  split(str, c):: native('splitLimit')(str, c, -1),
  splitLimit:: native('splitLimit'),
  splitLimitR:: native('splitLimitR'),
  isEmpty:: native('isEmpty'),
  trim:: native('trim'),
  equalsIgnoreCase:: native('equalsIgnoreCase'),
  escapeStringXML(str_):: native('escapeStringXML')(std.toString(str_)),
  sha1:: native('sha1'),
  sha256:: native('sha256'),
  sha512:: native('sha512'),
  sha3(str):: error 'std: sha3',

  pi:: 3.141592653589793,
  round:: native('round'),
  isEven:: native('isEven'),
  isOdd:: native('isOdd'),
  isInteger:: native('isInteger'),
  isDecimal:: native('isDecimal'),
  log2:: native('log2'),
  log10:: native('log10'),
  deg2rad:: native('deg2rad'),
  rad2deg:: native('rad2deg'),
  atan2:: native('atan2'),
  hypot:: native('hypot'),
  xor:: native('xor'),
  xnor:: native('xnor'),
}
