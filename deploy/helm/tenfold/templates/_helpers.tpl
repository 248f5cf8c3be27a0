{{- define "tenfold.name" -}}
{{- printf "%s-tenfold" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "tenfold.labels" -}}
app.kubernetes.io/name: tenfold
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "tenfold.selector" -}}
app.kubernetes.io/name: tenfold
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "tenfold.serviceAccount" -}}
{{- default (include "tenfold.name" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "tenfold.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{- define "tenfold.env" -}}
- name: TENFOLD_STORE
  value: {{ .Values.store.url | quote }}
- name: TENFOLD_PROJECT
  value: {{ default "/project" .Values.project.url | quote }}
- name: TENFOLD_HTTP_LISTEN
  value: 0.0.0.0:7480
- name: TENFOLD_HTTP_EXPOSED
  value: "true"
{{- range $name, $value := .Values.store.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "tenfold.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "tenfold.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}
