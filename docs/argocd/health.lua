-- Health of an MLNeuron or a ModelVariant in Argo CD, by the order in which kstatus reads a status. Lua 5.1, base library only.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

local function health(verdict, kind)
  return {status = verdict, message = conditions[kind].reason .. ": " .. conditions[kind].message}
end

local ready = conditions.Ready
if ready == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "the operator has not seen this generation yet"}
end
if holds("Stalled") then
  return health("Degraded", "Stalled")
end
if holds("Reconciling") and conditions.Reconciling.reason == "Paused" then
  return health("Suspended", "Reconciling")
end
if holds("Reconciling") then
  return health("Progressing", "Reconciling")
end
if ready.reason == "ScaledToZero" then
  return health("Suspended", "Ready")
end
if holds("Ready") then
  return health("Healthy", "Ready")
end
return health("Progressing", "Ready")
