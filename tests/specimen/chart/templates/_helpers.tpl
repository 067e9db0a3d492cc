{{- define "specimen.image" -}}
{{- with .Values.image -}}
{{- if .reference }}{{ .reference }}
{{- else if and .digest (not .ignoreDigest) }}{{ .repository }}@{{ .digest }}
{{- else }}{{ .repository }}:{{ .tag }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* What Pod Security `restricted` asks of a pod. */ -}}
{{- define "specimen.podSecurity" -}}
{ runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, seccompProfile: { type: RuntimeDefault } }
{{- end -}}

{{- /* What it asks of a container. */ -}}
{{- define "specimen.security" -}}
{ allowPrivilegeEscalation: {{ default false .Values.mayGainPrivileges }}, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
{{- end -}}

{{- /* A container that runs the same image with other arguments. Given `root`, `name`, `arguments`. */ -}}
{{- define "specimen.other" -}}
- name: {{ .name }}
  image: {{ default (include "specimen.image" .root) .image | quote }}
  args: {{ toJson .arguments }}
  env: [{ name: GODEL_API_KEY, valueFrom: { secretKeyRef: { name: godel-api-key, key: key } } }]
  resources: {{ toJson .root.Values.resources }}
  securityContext: {{ include "specimen.security" .root }}
{{- end -}}

{{- /* A Job that tries once. Given `root`, `name`, `hook`, `image`, `arguments`. */ -}}
{{- define "specimen.job" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .root.Release.Name }}-{{ .name }}
  {{- with .hook }}
  annotations: { helm.sh/hook: {{ . }}, helm.sh/hook-delete-policy: before-hook-creation }
  {{- end }}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      imagePullSecrets: {{ toJson .root.Values.imagePullSecrets }}
      securityContext: {{ include "specimen.podSecurity" . }}
      containers:
        {{- include "specimen.other" . | nindent 8 }}
{{- end -}}
