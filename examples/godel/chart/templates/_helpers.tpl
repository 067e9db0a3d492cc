{{- /* The label `app`, by which everything finds the pods. */ -}}
{{- define "godel.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* The name of the workload and, with a suffix, of what belongs to it. */ -}}
{{- define "godel.fullname" -}}
{{- default (printf "%s-%s" .Release.Name (include "godel.name" .)) .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "godel.version" -}}
{{- default .Chart.AppVersion .Values.version -}}
{{- end -}}

{{- /* A label cannot hold all that a version can: 63 characters, no `+`. */ -}}
{{- define "godel.label" -}}
{{- regexReplaceAll "[^A-Za-z0-9._-]" . "_" | trunc 63 | trimAll "._-" -}}
{{- end -}}

{{- define "godel.selector" -}}
app: {{ include "godel.name" . }}
{{- end -}}

{{- /* The pods of `helm test` have a label of their own: a Service that selected them would send them requests. */ -}}
{{- define "godel.testSelector" -}}
app: {{ include "godel.name" . }}-test
{{- end -}}

{{- /* What pods are labelled with beside `app`. Not the chart's version: a new chart alone starts no new pods. */ -}}
{{- define "godel.podLabels" -}}
app.kubernetes.io/name: {{ include "godel.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ include "godel.label" (include "godel.version" .) | quote }}
{{- end -}}

{{- define "godel.labels" -}}
{{ include "godel.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ include "godel.label" (printf "%s-%s" .Chart.Name .Chart.Version) }}
{{- end -}}

{{- define "godel.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What Pod Security `restricted` asks of a pod. */ -}}
{{- define "godel.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- /* What it asks of a container, and a root that nobody writes to. */ -}}
{{- define "godel.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}
