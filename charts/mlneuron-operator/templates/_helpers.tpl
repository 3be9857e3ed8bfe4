{{- define "mlneuron-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "mlneuron-operator.fullname" -}}
{{- $name := include "mlneuron-operator.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "mlneuron-operator.selector" -}}
app.kubernetes.io/name: {{ include "mlneuron-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mlneuron-operator.labels" -}}
{{ include "mlneuron-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "mlneuron-operator.tag" -}}
{{- default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{- /* The runtime's image beside the operator's; dir of a bare name is ".". */ -}}
{{- define "mlneuron-operator.runtimeImage" -}}
{{- $folder := dir .Values.image.repository }}
{{- printf "%smlneuron-runtime:%s" (ternary "" (printf "%s/" $folder) (eq $folder ".")) (include "mlneuron-operator.tag" .) }}
{{- end }}

{{- /* What the operator may do in the namespaces of neurons. */ -}}
{{- define "mlneuron-operator.rules" -}}
- apiGroups: [ml.findawise.io]
  resources: [mlneurons, modelvariants]
  verbs: [get, list, watch]
- apiGroups: [ml.findawise.io]
  resources: [mlneurons/status, modelvariants/status]
  verbs: [get, update, patch]
# Owner references that hold up a foreground deletion ask for this where the cluster enforces it (OpenShift does).
- apiGroups: [ml.findawise.io]
  resources: [mlneurons/finalizers, modelvariants/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, configmaps, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# The annotation that makes a node bring a new traffic table to its pods at once; nothing else of a pod is written.
- apiGroups: [""]
  resources: [pods]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
